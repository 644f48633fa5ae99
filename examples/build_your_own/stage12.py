"""Stage 12: derivatives of derivatives. The rules run on Values of Values, and each call has a level of its own."""

import math
from itertools import count

RULES = {  # the operation, and its slope by each operand
    "add": (lambda x, y: x + y, lambda x, y: (1.0, 1.0)),
    "sub": (lambda x, y: x - y, lambda x, y: (1.0, -1.0)),
    "mul": (lambda x, y: x * y, lambda x, y: (y, x)),
    "truediv": (lambda x, y: x / y, lambda x, y: (1.0 / y, -x / (y * y))),
    "neg": (lambda x: -x, lambda x: (-1.0,)),
    "pow": (lambda x, n: x**n, lambda x, n: (n * x ** (n - 1) if n else 0.0,)),
    "exp": (math.exp, lambda x: (exp(x),)),
    "log": (math.log, lambda x: (1.0 / x,)),
    "tanh": (math.tanh, lambda x: (1.0 - tanh(x) ** 2,)),
    "relu": (lambda x: max(x, 0.0), lambda x: (1.0 if x > 0.0 else 0.0,)),
}


class Value:
    def __init__(self, data, tangent=0.0, level=0):
        self.data = data
        self.tangent = tangent
        self.grad = 0.0
        self.level = level
        self.operands = []
        self.slopes = []

    def backward(self):
        order = tape(self)
        for node in order:
            if node.operands:  # of an earlier sweep; inputs keep theirs, and add up
                node.grad = 0.0
        self.grad = self.grad + 1.0
        for node in reversed(order):
            for operand, slope in zip(node.operands, node.slopes):
                operand.grad = operand.grad + node.grad * slope

    def __gt__(self, other):
        return self.data > other


def tape(root):
    """All Values that the root was made of, each after its operands."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, operands_are_done = stack.pop()
        if operands_are_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(operand, False) for operand in node.operands]
    return order


def operation(name):
    """The function of numbers and Values that goes by the rule of that name."""
    over_floats, slopes = RULES[name]

    def operate(*operands):
        level = max([x.level for x in operands if isinstance(x, Value)], default=None)
        if level is None:
            return over_floats(*operands)
        inside = [isinstance(x, Value) and x.level == level for x in operands]  # all others are constants
        numbers = [x.data if here else x for x, here in zip(operands, inside)]  # maybe Values of an outer level
        result = Value(operate(*numbers), level=level)
        for x, slope, here in zip(operands, slopes(*numbers), inside):
            if here:
                result.operands.append(x)
                result.slopes.append(slope)
                result.tangent = result.tangent + x.tangent * slope
        return result

    return operate


exp, log, tanh, relu = map(operation, ("exp", "log", "tanh", "relu"))
for name in ("add", "sub", "mul", "truediv", "pow", "neg"):
    setattr(Value, f"__{name}__", operation(name))
    setattr(Value, f"__r{name}__", lambda y, x, operate=operation(name): operate(x, y))

levels = count(1)


def derivative(f):
    """The derivative of f, a function of one number, by forward mode."""

    def slope(x):
        level = next(levels)
        y = f(Value(x, 1.0, level))
        return y.tangent if isinstance(y, Value) and y.level == level else 0.0

    return slope


def grad(f):
    """The same by reverse mode."""

    def slope(x):
        x = Value(x, level=next(levels))
        y = f(x)
        if isinstance(y, Value) and y.level == x.level:
            y.backward()
        return x.grad

    return slope
