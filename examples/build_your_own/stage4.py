"""Stage 4: the chain rule. Each Value passes on its slopes, times the gradient that arrived."""


class Value:
    def __init__(self, data, operands=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.operands = operands
        self.slopes = slopes

    def backward(self):
        self.grad = 1.0
        self.pass_on()

    def pass_on(self):
        for operand, slope in zip(self.operands, self.slopes):
            operand.grad = self.grad * slope
            operand.pass_on()

    def __add__(self, other):
        other = lift(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = lift(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -lift(other)

    def __truediv__(self, other):
        return self * (1.0 / lift(other).data)

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    __radd__, __rmul__ = __add__, __mul__


def lift(x):
    return x if isinstance(x, Value) else Value(x)
