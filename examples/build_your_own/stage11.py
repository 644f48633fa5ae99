"""Stage 11: forward mode. The same slopes push a tangent along while the program runs."""

import math

RULES = {  # the operation, and its slope by each operand
    "add": (lambda x, y: x + y, lambda x, y: (1.0, 1.0)),
    "sub": (lambda x, y: x - y, lambda x, y: (1.0, -1.0)),
    "mul": (lambda x, y: x * y, lambda x, y: (y, x)),
    "truediv": (lambda x, y: x / y, lambda x, y: (1.0 / y, -x / (y * y))),
    "neg": (lambda x: -x, lambda x: (-1.0,)),
    "pow": (lambda x, n: x**n, lambda x, n: (n * x ** (n - 1) if n else 0.0,)),
    "exp": (math.exp, lambda x: (math.exp(x),)),
    "log": (math.log, lambda x: (1.0 / x,)),
    "tanh": (math.tanh, lambda x: (1.0 - math.tanh(x) ** 2,)),
    "relu": (lambda x: max(x, 0.0), lambda x: (1.0 if x > 0.0 else 0.0,)),
}


class Value:
    def __init__(self, data, tangent=0.0, operands=(), slopes=()):
        self.data = data
        self.tangent = tangent
        self.grad = 0.0
        self.operands = operands
        self.slopes = slopes

    def backward(self):
        order = tape(self)
        for node in order:
            if node.operands:  # of an earlier sweep; inputs keep theirs, and add up
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            for operand, slope in zip(node.operands, node.slopes):
                operand.grad += node.grad * slope


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
        numbers = [x.data if isinstance(x, Value) else x for x in operands]
        pairs = [(x, slope) for x, slope in zip(operands, slopes(*numbers)) if isinstance(x, Value)]
        tangent = sum([x.tangent * slope for x, slope in pairs])
        return Value(over_floats(*numbers), tangent, [x for x, _ in pairs], [slope for _, slope in pairs])

    return operate


exp, log, tanh, relu = map(operation, ("exp", "log", "tanh", "relu"))
for name in ("add", "sub", "mul", "truediv", "pow", "neg"):
    setattr(Value, f"__{name}__", operation(name))
    setattr(Value, f"__r{name}__", lambda y, x, operate=operation(name): operate(x, y))
