"""Never silently wrong: a finite first derivative without a warning is the right one, also at singular points.

Random programs run at zeros, ties, ends of domains, infinities and subnormal numbers. The oracle is mpmath, with more
than 60 digits: the slopes of the same program beside the point, from each side that exists. A derivative passes if it
is one of the two, or lies between them: at a kink, a subgradient.

Two kinds of program are counted and not judged, as docs/accuracy.md says: one whose numbers rounding has moved (an
exact zero that is none in floats), and one in which a *choice* at a kink meets another kink or an infinite slope.

    python tests/test_singular.py 100000      # as many programs, and all that it finds
"""

import math
import random
import sys
import warnings
from collections import Counter

from mpmath import mp, mpf

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.tape import parents, tape

POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, math.inf, -math.inf, 5e-324, -5e-324, 1e-308, 1e-200, 1e200]
CONSTANTS = [0.0, 1.0, -1.0, 2.0, 0.5, 3.0]
TINY = 1e-199  # numbers below need hundreds of digits beside others


def real(function):
    """A function of mpmath as one of real numbers: None, and so no side, where it has no real value."""

    def restricted(*x):
        y = function(*x)
        if not isinstance(y, mpf) or y != y or abs(y) > mpf(10) ** 1000:
            raise ArithmeticError("no real number, or one without end")
        return y

    return restricted


def power(x, y):
    if (x < 0 and y != int(y)) or (x == 0 and y < 0):
        raise ArithmeticError("no real power")
    return x**y


def exp(x):
    return mp.exp(x) if x < 2000 else mp.inf


def softmax(*x):
    return exp(x[0]) / sum(map(exp, x))


ONE = {
    "neg": lambda x: -x, "abs": abs, "relu": lambda x: max(x, mpf(0)), "exp": exp, "log": mp.log, "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "asin": mp.asin,
    "acos": mp.acos, "atan": mp.atan, "sinh": lambda x: mp.sinh(x) if abs(x) < 2000 else mp.nan, "tanh": mp.tanh,
    "cosh": lambda x: mp.cosh(x) if abs(x) < 2000 else mp.inf, "asinh": mp.asinh, "acosh": mp.acosh, "atanh": mp.atanh,
    "expm1": lambda x: mp.expm1(x) if x < 2000 else mp.inf, "log1p": mp.log1p, "sign": mp.sign,
    "step": lambda x: mpf(x > 0), "floor": mp.floor, "ceil": mp.ceil, "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "softplus": lambda x: mp.log1p(exp(x)), "erf": mp.erf, "leaky_relu": lambda x: x if x > 0 else mpf(0.01) * x,
    "elu": lambda x: x if x > 0 else mp.expm1(x), "silu": lambda x: x / (1 + exp(-x)),
    "log2": lambda x: mp.log(x) / mp.log(2),
}  # fmt: skip
TWO = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "truediv": lambda x, y: x / y,
    "pow": power, "maximum": max, "minimum": min, "hypot": mp.hypot, "atan2": mp.atan2,
    "mod": lambda x, y: x - y * mp.floor(x / y), "sum": lambda x, y: x + y, "mean": lambda x, y: (x + y) / 2,
    "dot": lambda x, y: x * x + y * y, "logsumexp": lambda x, y: mp.log(exp(x) + exp(y)), "softmax": softmax,
}  # fmt: skip
EXACT = {name: real(function) for name, function in (ONE | TWO).items()}
OPERATORS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "mod": "%"}
PAIRS = {  # over sequences
    "sum": lambda x, y: mg.sum([x, y]), "mean": lambda x, y: mg.mean([x, y]),
    "dot": lambda x, y: mg.dot([x, y], [x, y]), "logsumexp": lambda x, y: mg.logsumexp([x, y]),
    "softmax": lambda x, y: mg.softmax([x, y])[0],
}  # fmt: skip
FLOATS = {name: PAIRS.get(name) or mg.rules.FUNCTIONS[name] for name in EXACT}
KINKS = {  # whether the operands are where the operation has no slope, and so a choice
    **dict.fromkeys(["abs", "relu", "sign", "step", "leaky_relu", "elu"], lambda x: x == 0.0),
    **dict.fromkeys(["floor", "ceil"], lambda x: math.isfinite(x) and x == math.floor(x)),
    **dict.fromkeys(["maximum", "minimum"], lambda x, y: x == y),
    **dict.fromkeys(["hypot", "atan2"], lambda x, y: x == y == 0.0),
    "mod": lambda x, y: math.isfinite(x) and x % y == 0.0,
    "pow": lambda x, y: x == y == 0.0,
}


def program(draw):
    """A list of steps (operation, places of its operands); place 0 is x, then the constants, then the steps."""
    steps = []
    for _ in range(draw.randrange(2, 6)):
        fresh = 1 + len(CONSTANTS) + len(steps)

        def place(fresh=fresh):
            r = draw.random()
            return fresh - 1 if r < 0.5 and steps else 0 if r < 0.8 else draw.randrange(fresh)

        name = draw.choice([*ONE] if draw.random() < 0.55 else [*TWO])
        steps.append((name, [place() for _ in range(1 if name in ONE else 2)]))
    first = 1 + len(CONSTANTS)
    needed = {first + len(steps) - 1}
    for i in range(len(steps) - 1, -1, -1):
        if first + i in needed:
            needed |= {*steps[i][1]}
    kept = [i for i in range(len(steps)) if first + i in needed]  # what no result needs is left out
    place_of = {**{i: i for i in range(first)}, **{first + i: first + j for j, i in enumerate(kept)}}
    return [(steps[i][0], [place_of[j] for j in steps[i][1]]) for i in kept]


def text(steps):
    words = ["x", *map(str, CONSTANTS)]
    for name, places in steps:
        args = [words[i] for i in places]
        words.append(f"({args[0]} {OPERATORS[name]} {args[1]})" if name in OPERATORS else f"{name}({', '.join(args)})")
    return words[-1]


def run(steps, x, functions, number):
    """All numbers of the program."""
    numbers = [x, *map(number, CONSTANTS)]
    for name, places in steps:
        numbers.append(functions[name](*[numbers[i] for i in places]))
    return numbers


def digits(x):
    return 460 if x and math.isfinite(x) and not TINY < abs(x) < 1.0 / TINY else 130


def slopes_beside(steps, x):
    """The limits of the slope from the left and from the right; infinite if without end, missing without a side."""
    mp.dps = digits(x)
    sides = []
    for sign in (-1, 1):
        found = []
        for size in (50, 56):
            if math.isinf(x):
                if sign * x > 0:
                    break
                h = mpf(10) ** size
                points = [h * mp.sign(x), 2 * h * mp.sign(x)]
            else:
                h = sign * mpf(10) ** -size * min(abs(mpf(x)) or 1, 1)
                points = [mpf(x) + h, mpf(x) + 2 * h]
            try:
                near, far = [run(steps, point, EXACT, mpf)[-1] for point in points]
            except (ArithmeticError, ValueError, OverflowError):
                break
            found.append((far - near) / (points[1] - points[0]))
        if len(found) == 2:
            first, last = found
            sides.append(last if abs(first - last) <= 1e-5 * abs(last) + mpf(1e-9) else mp.sign(last) * mp.inf)
    return sides


def moved(steps, x, numbers):
    """Whether rounding, overflow or underflow has taken a number of the program from where it is."""
    mp.dps = digits(x)
    try:
        exact = run(steps, mpf(x), EXACT, mpf)
    except (ArithmeticError, ValueError, OverflowError):
        return math.isfinite(x) or not all(map(math.isfinite, numbers[1:]))
    return any(
        (a == 0) != (b == 0) or (a != b and not abs(a - b) <= 1e-9 * abs(b))
        for a, b in zip(numbers, exact, strict=True)
    )


def absolute_slope(f, x):
    """What the slope would be if no path to x took away from another: rounding may lose 1e-16 of that.

    Infinite if a product of slopes on the way is too small or too large for a float.
    """
    x = Value(x)
    order = tape(f(x))
    sizes = dict.fromkeys(order, 0.0) | {order[-1]: 1.0}
    for node in reversed(order):
        for operand, partial in parents(node):
            if sizes[node] and partial:
                share = sizes[node] * abs(partial)
                sizes[operand] += share if share > 1e-300 else math.inf
    return sizes.get(x, 0.0)


def judged(steps, x):
    """A word on the derivatives of the program at x in either mode, and the derivatives."""

    def f(v):
        return run(steps, v, FLOATS, float)[-1]

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            numbers = run(steps, x, FLOATS, float)
            found = []
            for derivative in (lambda: mg.grad(f)(x), lambda: mg.jvp(f, (x,), (1.0,))[1]):
                warned.clear()
                slope = derivative()
                if math.isfinite(slope) and not warned:
                    found.append(slope)
        except (ValueError, ArithmeticError):
            return "no value", []
    if not found:
        return "warned, or not finite", []
    if moved(steps, x, numbers):
        return "moved by rounding", found
    sides = slopes_beside(steps, x)
    if not sides:
        return "no side", found
    low, high = min(sides), max(sides)
    tolerance = mpf(1e-5) * max([1, *[abs(s) for s in sides if mp.isfinite(s)]])
    if all(low - tolerance <= slope <= high + tolerance for slope in found):
        return "right", found
    values = [(name, [numbers[i] for i in places]) for name, places in steps]
    if absolute_slope(f, x) * 1e-14 > tolerance:
        return "moved by rounding", found
    if any(name in KINKS and KINKS[name](*operands) for name, operands in values):
        return "a choice", found
    return "wrong", found


def survey(seeds):
    counts, wrong = Counter(), []
    for seed in seeds:
        draw = random.Random(seed)
        steps, x = program(draw), draw.choice(POINTS)
        word, found = judged(steps, x)
        counts[word] += 1
        if word in ("wrong", "a choice"):
            wrong.append((word, text(steps), x, found, [float(s) for s in slopes_beside(steps, x)]))
    return counts, wrong


def test_a_finite_slope_without_a_warning_is_right_at_singular_points():
    counts, wrong = survey(range(400))
    assert [line for line in wrong if line[0] == "wrong"] == []
    assert counts["right"] > 100


if __name__ == "__main__":
    start, end = map(int, sys.argv[1:]) if len(sys.argv) > 2 else (0, int(sys.argv[1]))
    totals, lines = survey(range(start, end))
    for line in sorted(lines, key=lambda line: (line[0], len(line[1]))):
        print(*line)
    print(dict(totals))
