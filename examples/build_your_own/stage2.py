"""Stage 2: all of arithmetic, with plain numbers on either side."""


class Value:
    def __init__(self, data):
        self.data = data

    def __add__(self, other):
        return Value(self.data + number(other))

    def __mul__(self, other):
        return Value(self.data * number(other))

    def __sub__(self, other):
        return Value(self.data - number(other))

    def __truediv__(self, other):
        return Value(self.data / number(other))

    def __neg__(self):
        return Value(-self.data)

    def __rsub__(self, other):
        return Value(other - self.data)

    def __rtruediv__(self, other):
        return Value(other / self.data)

    __radd__, __rmul__ = __add__, __mul__


def number(x):
    return x.data if isinstance(x, Value) else x
