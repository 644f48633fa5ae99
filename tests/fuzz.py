"""Random programs by the million: forward mode against reverse mode, and against whatever else there is.

    .venv/bin/python tests/fuzz.py --programs 10000000
    .venv/bin/python tests/fuzz.py --programs 10000 --against jvp jit-python mpmath series

A program is a list of operations on its inputs and on earlier results, drawn by a plain generator, thousands a second,
together with a point at which it has a value, away from kinks. All are run in both modes at once; `COLUMNS` says with
what else they can be compared: a column is a function. Hypothesis, which draws some eighty programs a second, comes in
when one fails, to shrink it. The same --seed draws the same programs. A warning of the library is a failure as well.

What two ways give may differ by rounding. How much that is, is measured: the quantity is computed once more in numbers
whose every operation is wrong by up to 2**-26 of its result, four times, and two ways may differ by 2**-20 of what that
changes, which is a rounding of 2**-46 in each operation, those inside of the rules included. Where that is more than a
millionth of the largest number, nothing can be said: such programs are counted as undecided. Below 1e-40, all is 0.
"""

import argparse
import math
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample
from oracles import CONSTANTS, MOST, UNITS, by_javascript, by_jax, by_pytorch, counts, exactly, exactly_twice, knows

import micrograd_plus as mg
from micrograd_plus.machinery.operators import Number
from micrograd_plus.rules import RULES
from micrograd_plus.tape import operands as pairs
from micrograd_plus.testing.strategies import NEAR, Expression, _is_clear, _operation, _pruned, expressions

BATCH = 50  # programs that are compiled as one
DIRECTION = (1.0, -0.5, 0.25)  # of the tangents of the inputs
UNDECIDED = "undecided"
REFLECTED = ("gamma", "lgamma", "polygamma")  # below 0 they are differences of such numbers (docs/accuracy.md)
MOVED, ALLOWED, DECIDED, TINY = 2.0**-26, 2.0**-20, 1e-6, 1e-40


# Programs -------------------------------------------------------------------------------------------------------------


def draw(rng, names):
    """A random program of these operations: its point, its lines, and its nodes, run in both modes."""
    point = [rng.uniform(-3.0, 3.0) for _ in range(rng.randint(1, 3))]
    nodes, numbers, lines = [mg.Value(x, tangent=v) for x, v in zip(point, DIRECTION, strict=False)], [*point], []
    for _ in range(rng.randint(1, MOST)):
        name = rng.choice(names)
        rule = RULES[name]
        count = rng.choice(counts(rule))
        # Newer results more often than old ones, so that most of the program matters; a constant now and then.
        places = [max(0, len(nodes) - 1 - int(rng.expovariate(0.5))) for _ in range(count)]
        operands = [place if rng.random() < 0.9 else rng.choice(CONSTANTS) for place in places]
        if name == "polygamma":
            operands[0] = rng.choice((0.0, 1.0, 2.0, 3.0))  # its order is a whole number
        if not any(type(x) is int for x in operands):
            continue
        if not _is_clear(name, [numbers[x] if type(x) is int else x for x in operands]):
            continue
        try:
            node = _operation(rule, count, None)(*[nodes[x] if type(x) is int else x for x in operands])
        except (ValueError, ArithmeticError, RuntimeWarning):
            continue  # it has no value or no slope there
        if not isinstance(node, mg.Value):
            continue  # times(x, 0.0) is 0.0
        if abs(node.data) <= NEAR and all(abs(slope) <= NEAR for _, slope in pairs(node) if slope is not None):
            nodes.append(node)
            numbers.append(node.data)
            lines.append((name, tuple(operands)))
    return point, lines, nodes


def expression(point, lines):
    return Expression(tuple("xyz"[: len(point)]), tuple(lines), tuple(point))


def run(f, numbers):
    """As f(*numbers) for floats, and for numbers of any kind with operators, without looking for their kind."""
    nodes = list(numbers)
    for name, operands in f.lines:
        operation = _operation(RULES[name], len(operands), None)
        nodes.append(operation(*[nodes[x] if type(x) is int else x for x in operands]))
    return nodes[-1]


def gradient(f, point):
    """The value and the gradient, in reverse mode."""
    value, slopes = mg.value_and_grad(lambda p: run(f, p))(point)
    return [value, *slopes]


def jvps(f, point):
    """The same in forward mode."""
    results = [mg.jvp(lambda *p: run(f, p), point, unit[: len(point)]) for unit in UNITS[: len(point)]]
    return [results[0][0], *[tangent for _, tangent in results]]


def nested(*transforms):
    """A derivative along a line, by these transforms one in another."""

    def quantity(f, point):
        g = lambda t: run(f, [x + v * t for x, v in zip(point, DIRECTION, strict=False)])  # noqa: E731
        for transform in reversed(transforms):
            g = transform(g)
        return [g(0.0)]

    return quantity


def series(f):
    return lambda t: mg.derivatives(f, 2)(t)[2]


# What is compared: as we compute it, and in forward mode, where other sums are rounded.
GRADIENT = (gradient, jvps)
SLOPE = (nested(mg.grad), nested(mg.derivative))
BEND = (nested(mg.grad, mg.grad), nested(mg.derivative, mg.derivative))


class Shaken(Number):
    """A number whose operations are a little wrong: a kind of number, so that all derivatives run over it."""

    level = 0

    def __init__(self, data, rng):
        self.data, self.rng = data, rng

    def operate(self, name, operands):
        numbers = [getattr(x, "data", x) for x in operands]
        result = _operation(RULES[name], len(operands), None)(*numbers)
        size = NEAR if name in REFLECTED and numbers[-1] < 0.0 else abs(result)
        return Shaken(result + size * self.rng.uniform(-MOVED, MOVED), self.rng)

    def compare(self, holds, other):
        return holds(self.data, getattr(other, "data", other))


def shaken(f, rng):
    """The program with such constants, as log(3.0) is rounded too; but no order of a polygamma and no 0, which cuts."""

    def constant(name, x):
        return x if type(x) is int or x == 0.0 or name == "polygamma" else Shaken(x, rng)

    return replace(f, lines=tuple((name, tuple(constant(name, x) for x in operands)) for name, operands in f.lines))


# Other ways: of a list of programs, the numbers that each of them gives -----------------------------------------------


def alone(way):
    return lambda programs: [way(f, f.point) for f in programs]


def compiled(backend, quantity=gradient):
    """All of the programs as one, which costs less to compile."""

    def column(programs):
        together = mg.jit(lambda points: [quantity(f, p) for f, p in zip(programs, points, strict=True)], backend)
        return together([list(f.point) for f in programs])

    return column


ALL = lambda rule: True  # noqa: E731
COLUMNS = {  # by name: what it computes; the function; its operations; its own rounding, of the largest number
    "jvp": (GRADIENT, alone(jvps), ALL, 0.0),
    "jit-python": (GRADIENT, compiled("python"), ALL, 0.0),
    "jit-llvm": (GRADIENT, compiled("llvm"), ALL, 0.0),
    "jit-jax": (GRADIENT, compiled("jax"), ALL, 1e-12),
    "javascript": (GRADIENT, by_javascript, ALL, 0.0),
    "mpmath": (GRADIENT, alone(exactly), ALL, 0.0),
    "pytorch": (GRADIENT, alone(by_pytorch), knows("pytorch"), 1e-12),
    "jax": (GRADIENT, by_jax, knows("jax"), 1e-12),
    "forward-reverse": (BEND, alone(nested(mg.derivative, mg.grad)), ALL, 0.0),
    "reverse-forward": (BEND, alone(nested(mg.grad, mg.derivative)), ALL, 0.0),
    "forward-forward": (BEND, alone(nested(mg.derivative, mg.derivative)), ALL, 0.0),
    "series": (BEND, alone(nested(series)), ALL, 0.0),
    "jit-python-2": (BEND, compiled("python", BEND[0]), ALL, 0.0),
    "mpmath-2": (BEND, alone(lambda f, point: exactly_twice(f, point, DIRECTION)), ALL, 0.0),
}


# Judging --------------------------------------------------------------------------------------------------------------


def verdict(f, quantity, right, found, rough=0.0):
    """What is wrong with these numbers, or "" if nothing is, or "undecided"."""
    if all(a == b or abs(a - b) <= 2.0**-50 * abs(b) for a, b in zip(found, right, strict=True)):
        return ""
    rng, moved = random.Random(repr(f.point)), [0.0] * len(right)
    for way in 4 * quantity:
        try:
            others = [getattr(x, "data", x) for x in way(shaken(f, rng), [Shaken(x, rng) for x in f.point])]
        except (ValueError, ArithmeticError):
            return UNDECIDED
        moved = [max(m, abs(other - x)) for m, other, x in zip(moved, others, right, strict=True)]
    largest = max(map(abs, [*right, *f.nodes(*f.point)]))
    allowed = [ALLOWED * m + rough * largest + TINY for m in moved]
    if max(allowed) > DECIDED * largest:
        return UNDECIDED
    for a, b, most in zip(found, right, allowed, strict=True):
        if not abs(a - b) <= most:
            return f"{found!r}, and not {right!r}: off by {abs(a - b):.2g}, of rounding by {most:.2g}"
    return ""


def compared(programs, name):
    """For each of the programs a verdict on what that column says."""
    quantity, column, _, rough = COLUMNS[name]
    try:
        pairs = zip(programs, column(programs), strict=True)
        return [verdict(f, quantity, quantity[0](f, list(f.point)), answer, rough) for f, answer in pairs]
    except Exception:
        if len(programs) == 1:
            return [traceback.format_exc(limit=-3)]
        return [compared([f], name)[0] for f in programs]


def modes(point, lines, nodes):
    """Forward = reverse: the sum of gradient times tangent over the inputs is the tangent of the result."""
    nodes[-1].backward()
    terms = [x.grad * v for x, v in zip(nodes, DIRECTION[: len(point)], strict=False)]
    total, tangent = math.fsum(terms), nodes[-1].tangent
    if abs(tangent - total) <= 2.0**-50 * max(map(abs, terms)):
        return ""
    return verdict(expression(point, lines), SLOPE, [total], [tangent])


def judged(f, name):
    if name != "modes":
        return compared([f], name)[0]
    inputs = [mg.Value(x, tangent=v) for x, v in zip(f.point, DIRECTION, strict=False)]
    return modes(f.point, f.lines, [*inputs, run(f, inputs)])


def shrunk(f, name):
    """The smallest program of the same operations that fails as well, if hypothesis finds one."""
    quiet = settings(max_examples=2000, database=None, deadline=None, suppress_health_check=list(HealthCheck),
                     phases=[Phase.generate, Phase.shrink])  # fmt: skip
    programs = expressions(sorted({operation for operation, _ in f.lines}), f.variables)
    try:
        return find(programs, lambda g: judged(g, name) not in ("", UNDECIDED), settings=quiet)
    except NoSuchExample:
        return _pruned(f)


def fuzz(count, seed, against, seconds=math.inf):
    """Yield, for each batch, its verdicts: triples of a program, the column, and what is wrong, if anything is."""
    rng, start = random.Random(seed), time.monotonic()
    names = [name for name, rule in RULES.items() if all(COLUMNS[column][2](rule) for column in against)]
    names += [name for name in names if counts(RULES[name]) == [2]]  # twice as often
    for first in range(0, count, BATCH):
        if time.monotonic() - start > seconds:
            return
        drawn = [draw(rng, names) for _ in range(min(BATCH, count - first))]
        verdicts = [((point, lines), "modes", modes(point, lines, nodes)) for point, lines, nodes in drawn]
        programs = [expression(point, lines) for point, lines, _ in drawn] if against else []
        for name in against:
            verdicts += zip(programs, [name] * len(programs), compared(programs, name), strict=True)
        yield verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=100_000, help="how many (default: 100,000)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many (default: never)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--against", nargs="+", choices=COLUMNS, default=[], metavar="COLUMN", help=", ".join(COLUMNS))
    options = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)
    tried, start = Counter(), time.monotonic()
    try:
        for verdicts in fuzz(options.programs, options.seed, options.against, options.seconds):
            for f, name, text in verdicts:
                tried[name, text if text in ("", UNDECIDED) else "failed"] += 1
                if text not in ("", UNDECIDED) and tried[name, "failed"] <= 5:
                    f = f if isinstance(f, Expression) else expression(*f)
                    small = shrunk(f, name)
                    print(f"{name}: {_pruned(f)!r} at {f.point}\n    {text}")
                    print(f"    smallest: {small!r} at {small.point}", flush=True)
    except KeyboardInterrupt:
        print("stopped early")
    print(f"seed {options.seed}, {time.monotonic() - start:,.0f} seconds")
    for name in ("modes", *options.against):
        right, undecided, failed = (tried[name, word] for word in ("", UNDECIDED, "failed"))
        print(f"{name}: {right + undecided + failed:,} programs, {failed} failed, {undecided} undecided")
    return 1 if any(word == "failed" for _, word in tried) else 0


if __name__ == "__main__":
    sys.exit(main())
