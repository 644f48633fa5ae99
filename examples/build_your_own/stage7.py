"""Stage 7: every operator with its slopes, powers too."""


class Value:
    def __init__(self, data, operands=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.operands = operands
        self.slopes = slopes

    def backward(self):
        self.grad = 1.0
        for node in reversed(tape(self)):
            for operand, slope in zip(node.operands, node.slopes):
                operand.grad += node.grad * slope

    def __add__(self, other):
        other = lift(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = lift(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __sub__(self, other):
        other = lift(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __truediv__(self, other):
        x, y = self.data, lift(other).data
        return Value(x / y, (self, lift(other)), (1.0 / y, -x / (y * y)))

    def __neg__(self):
        return Value(-self.data, (self,), (-1.0,))

    def __pow__(self, n):
        x = self.data
        return Value(x**n, (self,), (n * x ** (n - 1) if n else 0.0,))

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    __radd__, __rmul__ = __add__, __mul__


def lift(x):
    return x if isinstance(x, Value) else Value(x)


def tape(root):
    """All Values that the root was made of, each after its operands."""
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for operand in node.operands:
                visit(operand)
            order.append(node)

    visit(root)
    return order
