"""Random programs: expression graphs over all rules, to run over floats, Values of any level, and 50-digit numbers.

A program is a list of lines (operation, indices of earlier nodes) after its inputs and constants: so it shares nodes by
construction, and shrinks by deletion. A line that would leave its operation's domain, or grow too large, is left out.
"""

import math
import operator
from typing import NamedTuple

import mpmath
from hypothesis import strategies as st

from micrograd_plus.rules import FUNCTIONS, RULES

OPERATORS = {name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "mod", "pow", "neg")}


def is_over_sequences(name):
    return RULES[name].sequences > 0


def apply(name, *operands):
    """The operation as a user writes it: an operator, a function, or a function of sequences."""
    if name in OPERATORS:
        return OPERATORS[name](*operands)
    if not is_over_sequences(name):
        return FUNCTIONS[name](*operands)
    if name == "dot":
        return FUNCTIONS[name](operands[: len(operands) // 2], operands[len(operands) // 2 :])
    result = FUNCTIONS[name](operands)
    return result[0] if isinstance(result, list) else result


class Program(NamedTuple):
    inputs: tuple
    constants: tuple = ()
    lines: tuple = ()
    wobble: float = 0.0

    def run(self, numbers, apply=apply):
        """All nodes, from these numbers in the place of the inputs.

        With a wobble, every line's result is off by that share of it, to and fro: what this changes in a result tells
        how much of the rounding errors on the way can show in it.
        """
        nodes = [*numbers, *self.constants]
        for name, operands in self.lines:
            node = apply(name, *[nodes[i] for i in operands])
            nodes.append(node * (1.0 + self.wobble * math.sin(len(nodes))) if self.wobble else node)
        return nodes

    def __call__(self, *numbers):
        return self.run(numbers)[-1]

    def reach(self):
        """For every node a bound on how much of a unit step in each input can arrive there, all paths added up."""
        nodes = self.run(self.inputs)
        reach = [1.0] * len(self.inputs) + [0.0] * len(self.constants)
        for name, operands in self.lines:
            _, *partials = RULES[name].partials(*[nodes[i] for i in operands])
            reach.append(sum(abs(partial) * reach[i] for partial, i in zip(partials, operands, strict=True)))
        return reach


def is_clear(name, operands, margin=0.01):
    """Whether the operands are away from where the operation has a jump, a kink, or the cut of its angle."""
    x, y = (*operands, 0.0)[:2]
    if name in ("abs", "sign", "step", "relu", "leaky_relu", "elu", "reciprocal", "cbrt"):
        return abs(x) > margin
    if name in ("floor", "ceil"):
        return abs(x - round(x)) > margin
    if name == "mod":
        return abs(y) > margin and abs(x / y - round(x / y)) > margin
    if name in ("maximum", "minimum"):
        return abs(x - y) > margin
    if name == "pow":
        return x > margin
    if name == "hypot":
        return math.hypot(x, y) > margin
    if name == "atan2":
        return abs(x) > margin or y > margin
    return True


def is_sound(name, operands, smooth):
    limit = 30.0 if smooth else 1e6
    try:
        value, (_, *partials) = apply(name, *operands), RULES[name].partials(*operands)
    except (ValueError, ArithmeticError):
        return False
    if isinstance(value, complex) or (smooth and not is_clear(name, operands)):
        return False
    return all(abs(number) <= limit for number in (value, *partials))


@st.composite
def programs(draw, smooth=False):
    """Programs of up to three inputs, 24 lines and the sum of all; if `smooth`, differentiable near their inputs."""
    numbers = st.floats(-3.0, 3.0)
    inputs = draw(st.lists(numbers, min_size=1, max_size=3))
    constants = draw(st.lists(st.sampled_from([2.0, -1.0, 0.5, 0.0]), max_size=2))
    nodes, lines = [*inputs, *constants], []
    # A line without a name is none. Hypothesis likes short lists: these have a least length, and shrink to such lines.
    steps = st.tuples(st.sampled_from(["", *RULES]), st.lists(st.integers(0, 7), min_size=1, max_size=4))
    for name, back in draw(st.lists(steps, min_size=9, max_size=24)):
        if not name:
            continue
        if name == "dot":
            back = back + back[::-1]
        elif not is_over_sequences(name):
            back = (back + back)[: RULES[name].partials.__code__.co_argcount]
        indices = tuple(max(len(nodes) - 1 - i, 0) for i in back)
        operands = [nodes[i] for i in indices]
        if is_sound(name, operands, smooth):
            lines.append((name, indices))
            nodes.append(apply(name, *operands))
    lines.append(("sum", tuple(range(len(nodes)))))  # so that every line counts for the result
    return Program(tuple(inputs), tuple(constants), tuple(lines))


# At 50 digits ---------------------------------------------------------------------------------------------------------

mp = mpmath.mp.clone()
mp.dps = 60

EXACT = {name: getattr(mp, name) for name in RULES if hasattr(mp, name)} | {
    "abs": abs,
    "step": lambda x: mp.mpf(x > 0),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "pow": lambda x, y: x**y,
    "chained": lambda x, y: x * y,
    "reciprocal": lambda x: 1 / x,
    "maximum": max,
    "minimum": min,
    "log2": lambda x: mp.log(x, 2),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "gaussian": lambda x, y: mp.exp(y * x * x),
    "ndtr": mp.ncdf,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sum": mp.fsum,
    "dot": mp.fdot,
    "logsumexp": lambda xs: mp.log(mp.fsum(map(mp.exp, xs))),
    "softmax": lambda xs: [mp.exp(x) / mp.fsum(map(mp.exp, xs)) for x in xs],
    "log_softmax": lambda xs: [x - mp.log(mp.fsum(map(mp.exp, xs))) for x in xs],
}


def exact(name, *operands):
    """The operation at 50 digits and more: its template, over mpmath's functions."""
    names = [f"x{i}" for i in range(len(operands))]
    return eval(RULES[name].program(names), EXACT, {n: mp.mpf(x) for n, x in zip(names, operands, strict=True)})


def exact_gradient(program):
    """The derivatives with respect to the inputs by central differences, whose error is below 1e-35."""
    step, gradient = mp.mpf("1e-20"), []
    for i, x in enumerate(program.inputs):
        up, down = (
            program.run([*program.inputs[:i], x + h, *program.inputs[i + 1 :]], exact)[-1] for h in (step, -step)
        )
        gradient.append((up - down) / (2 * step))
    return gradient
