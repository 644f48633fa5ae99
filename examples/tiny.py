"""The whole idea in 100 lines: both modes of automatic differentiation, of any order, from one table of rules.

Every operation knows its value and its local derivatives. A tangent says how fast a number moves when an input moves
at speed 1, and is pushed along these while the program runs: forward mode. A gradient says how fast the result moves
when a number does, and is pulled back along them afterwards: reverse mode.
"""

import math
from itertools import count

RULES = {  # operation: its value, and its derivative with respect to each operand
    "add": lambda x, y: (x + y, 1.0, 1.0),
    "mul": lambda x, y: (x * y, y, x),
    "div": lambda x, y: (x / y, 1.0 / y, -x / (y * y)),
    "sin": lambda x: (sin(x), cos(x)),
    "cos": lambda x: (cos(x), -sin(x)),
    "exp": lambda x: (exp(x), exp(x)),
    "tanh": lambda x: (tanh(x), 1.0 - tanh(x) * tanh(x)),
}
levels = count(1)  # each derivative has a level of its own: to it, what comes from outside is a constant


class Value:
    """A number that remembers what it was made of: pairs of an operand and the derivative with respect to it."""

    def __init__(self, data, level=0, tangent=0.0, parents=()):
        self.data, self.level, self.tangent, self.parents, self.grad = data, level, tangent, parents, 0.0

    def __add__(self, other): return operate("add", self, other)
    def __radd__(self, other): return operate("add", other, self)
    def __mul__(self, other): return operate("mul", self, other)
    def __rmul__(self, other): return operate("mul", other, self)
    def __truediv__(self, other): return operate("div", self, other)
    def __rtruediv__(self, other): return operate("div", other, self)
    def __neg__(self): return -1.0 * self
    def __sub__(self, other): return self + -other
    def __rsub__(self, other): return other + -self

    def backward(self):
        """Reverse mode, once for each graph: a node passes its gradient, times the slope, to each of its operands."""
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for x, _ in node.parents:
                    visit(x)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):  # a node's turn comes when all that used it have had theirs
            for x, partial in node.parents:
                x.grad = x.grad + node.grad * partial


def operate(name, *operands):
    """The rule at the operands' numbers. Operands of the deepest level are variables, all others are constants."""
    level = max(x.level for x in operands if isinstance(x, Value))
    ours = [isinstance(x, Value) and x.level == level for x in operands]
    data, *partials = RULES[name](*[x.data if its else x for x, its in zip(operands, ours)])
    parents = [(x, partial) for x, partial, its in zip(operands, partials, ours) if its]
    return Value(data, level, sum(x.tangent * partial for x, partial in parents), parents)  # forward mode


def function(name):
    """`math.sin` for floats, the rule "sin" for Values: so a rule also runs over the Values of an outer level."""
    return lambda x: operate(name, x) if isinstance(x, Value) else getattr(math, name)(x)


sin, cos, exp, tanh = map(function, ["sin", "cos", "exp", "tanh"])


def derivative(f):
    """The derivative of a function of one number, by forward mode."""
    def slope(x):
        level = next(levels)
        y = f(Value(x, level, tangent=1.0))
        return y.tangent if isinstance(y, Value) and y.level == level else 0.0

    return slope


def grad(f):
    """All partial derivatives of a function of several numbers, by reverse mode."""
    def gradient(*numbers):
        level = next(levels)
        inputs = [Value(x, level) for x in numbers]
        y = f(*inputs)
        if isinstance(y, Value) and y.level == level:
            y.backward()
        return [x.grad for x in inputs]

    return gradient


if __name__ == "__main__":
    f = lambda x, w: tanh(w * x + 5.5) * x
    print("df/dx by both modes:", derivative(lambda x: f(x, -3.0))(2.0), grad(f)(2.0, -3.0)[0])
