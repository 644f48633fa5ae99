"""Make derivatives.csv: values and derivatives of every operation to 50 digits.

Run as `python tests/reference/make.py`.

Each function is written as in a textbook and evaluated at 700 digits, where no digit that matters can cancel. Its
derivatives are found twice: by differences (mpmath's `diff`), and by Cauchy's integral over a small circle around the
point, which uses no difference at all. The script fails if the two disagree in the 50 digits that are written.
"""

import csv
import math
import sys
from itertools import product
from pathlib import Path

from mpmath import mp, mpf

FILE = Path(__file__).parent / "derivatives.csv"
DIGITS = 700  # log(1 + exp(-745)) needs 320 of them, and differences of order 3 lose the same again
CIRCLE = 8  # points on the circle, whose radius is 1e-45 of the way to the next singularity
HEADER = """\
# Values and derivatives of elementary functions, to 50 significant digits.
# Each line: the function; its operands, as hexadecimal floating-point numbers (IEEE 754 double precision, exact), with
# spaces between them; how often it is differentiated with respect to each operand; and the result in decimal.
# "atan2, 0x1.8p+0 0x1p+1, 1 0, 0.32" is the first derivative of atan2(1.5, 2) with respect to its first operand.
# Functions of sequences (sum, dot, norm, logsumexp, softmax, log_softmax) have two operands: sum([x, y]), dot([x],
# [y]), and the first item of softmax([x, y]). ndtr is the normal distribution function, gaussian(x, c) is exp(c *
# x**2), elu and leaky_relu have the slope or the height on the left as their second operand, gelu is x * ndtr(x), mod
# has the sign of its second operand, as in Python, lgamma is the logarithm of abs(gamma(x)), polygamma(n, x) is
# differentiated by x alone, sinc is sin(pi x) / (pi x), xlogy is x log(y), logit is log(x / (1 - x)). Points are away
# from kinks and jumps.
# Made by make.py from mpmath at 700 digits, or 300 for polygamma, in two ways that agree.
"""


def erfc(x):
    return mp.erfc(x)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def ndtr(x):
    return erfc(-x / mp.sqrt(2)) / 2


def left(x):
    return mp.re(x) < 0


FUNCTIONS = {  # over complex numbers, so that a circle around a point can be walked
    "exp": mp.exp,
    "expm1": lambda x: mp.exp(x) - 1,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "sqrt": mp.sqrt,
    "cbrt": lambda x: -((-x) ** (mpf(1) / 3)) if left(x) else x ** (mpf(1) / 3),
    "reciprocal": lambda x: 1 / x,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": lambda x: -mp.log(-x + mp.sqrt(x * x + 1)) if left(x) else mp.log(x + mp.sqrt(x * x + 1)),
    "acosh": mp.acosh,
    "atanh": lambda x: mp.log((1 + x) / (1 - x)) / 2,
    "erf": mp.erf,
    "erfc": erfc,
    "ndtr": ndtr,
    "sigmoid": sigmoid,
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * ndtr(x),
    "neg": lambda x: -x,
    "abs": lambda x: -x if left(x) else x,
    "relu": lambda x: 0 * x if left(x) else x,
    "sign": lambda x: mpf(-1 if left(x) else 1),
    "step": lambda x: mpf(not left(x)),
    "floor": lambda x: mp.floor(mp.re(x)),
    "ceil": lambda x: mp.ceil(mp.re(x)),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y,
    "mod": lambda x, y: x - y * mp.floor(mp.re(x / y)),
    "pow": lambda x, y: mp.exp(y * mp.log(x)),
    "atan2": lambda x, y: mp.atan(x / y) if mp.re(y) > 0 else mp.pi / 2 * (-1 if left(x) else 1) - mp.atan(y / x),
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "maximum": lambda x, y: y if left(x - y) else x,
    "minimum": lambda x, y: x if left(x - y) else y,
    "leaky_relu": lambda x, y: y * x if left(x) else x,
    "elu": lambda x, y: y * (mp.exp(x) - 1) if left(x) else x,
    "gaussian": lambda x, y: mp.exp(y * x * x),
    "sum": lambda x, y: x + y,
    "dot": lambda x, y: x * y,
    "logsumexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "softmax": lambda x, y: mp.exp(x) / (mp.exp(x) + mp.exp(y)),
    "log_softmax": lambda x, y: x - mp.log(mp.exp(x) + mp.exp(y)),
    "log_ndtr": lambda x: mp.log(ndtr(x)),
    "gamma": mp.gamma,
    "lgamma": lambda x: mp.log(-mp.gamma(x) if left(mp.gamma(x)) else mp.gamma(x)),
    "polygamma": lambda n, x: mp.psi(int(mp.nint(mp.re(n))), x),
    "sinc": lambda x: mp.sin(mp.pi * x) / (mp.pi * x) if x else mpf(1),
    "xlogy": lambda x, y: x * mp.log(y),
    "logit": lambda x: mp.log(x / (1 - x)),
    "norm": lambda x, y: mp.sqrt(x * x + y * y),
}
ORDERS = {1: [(n,) for n in range(4)], 2: [n for n in product(range(4), repeat=2) if sum(n) <= 3]}

# The points: the whole domain, tails, and the neighbours of special points -------------------------------------------

SIZES = [1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.7, 1.3, 2.0, 3.7, 10.0, 36.0]


def beside(x):
    return [math.nextafter(x, -math.inf), math.nextafter(x, math.inf)]


def both(numbers):
    return [sign * x for x in numbers for sign in (1.0, -1.0)]


BETWEEN_POLES = [25.5, 150.0, -0.3, -1.2, -2.7, -20.5]
DOMAINS = {
    **{name: [*SIZES, *beside(1.0), 1e20, 1e300] for name in ("log", "log2", "log10", "sqrt")},
    **dict.fromkeys(("cbrt", "reciprocal", "abs", "neg", "relu", "sign", "step"), both([*SIZES, 1e20, 1e100])),
    **dict.fromkeys(("floor", "ceil"), both([0.5, 0.7, 3.7, 1e10 + 0.25, math.nextafter(2.0, 1.0)])),
    **{name: [0.0, *both([*SIZES, 700.0]), -744.0] for name in ("exp", "sinh", "cosh", "expm1")},
    **{name: [0.0, *both(SIZES), *beside(math.pi), *beside(math.pi / 2), 1e10, 1e22, 1e300] for name in ("sin", "cos")},
    "tan": [0.0, *both(SIZES), *beside(math.pi), math.pi / 2, math.nextafter(math.pi / 2, 0.0), 1e10, 1e22],
    **{
        name: [0.0, *both([x for x in SIZES if x < 1.0] + [beside(1.0)[0], 0.999])]
        for name in ("asin", "acos", "atanh")
    },
    **{name: [0.0, *both([*SIZES, 300.0]), -700.0] for name in ("tanh", "sigmoid", "softplus", "silu")},
    **{name: [0.0, *both([*SIZES, 1e10, 1e100])] for name in ("atan", "asinh")},
    "acosh": [beside(1.0)[1], 1.001, 1.5, 2.0, 10.0, 1e10, 1e100, 1e300],
    "log1p": [0.0, *both([1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.7]), beside(-1.0)[1], 1.3, 10.0, 1e20, 1e300],
    **{name: [0.0, *both([x for x in SIZES if x < 5.0]), 5.9, -5.9, 10.0, 26.0] for name in ("erf", "erfc")},
    **{name: [0.0, *both([x for x in SIZES if x < 5.0]), 8.0, -8.0, -20.0, -37.0] for name in ("ndtr", "gelu")},
    "log_ndtr": [0.0, *both([x for x in SIZES if x < 5.0]), 8.0, -8.0, -29.9, -30.1, -37.0],
    **{name: [*SIZES, *beside(1.0), *beside(2.0), *BETWEEN_POLES] for name in ("gamma", "lgamma")},
    "sinc": [0.0, *both([*SIZES, *beside(0.5), *beside(1.0)]), 100.25, 1e10 + 0.25],
    "logit": [1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.3, 0.5, *beside(0.5), 0.7, 0.999, beside(1.0)[0]],
}
PAIRS = [(0.7, 1.3), (-0.7, 1.3), (1.3, -0.7), (-2.0, -3.7), (1e-8, 3.7), (3.7, 1e-8), (1e10, 2.0), (1e-100, 1e-90)]
CLOSE = [(1.0, math.nextafter(1.0, 2.0)), (30.0, -30.0), (-30.0, 30.0), (700.0, 699.0), (-400.0, 400.0), (0.1, 0.3)]
COUPLES = {
    **dict.fromkeys(("add", "sub", "mul", "sum", "dot", "maximum", "minimum"), PAIRS),
    "truediv": [*PAIRS, (1.0, 3.0), (1e150, 1e100)],
    "mod": [(0.7, 1.3), (-0.7, 1.3), (7.5, -2.0), (1e10 + 0.25, 3.0), (5.3, 0.1)],
    "pow": [(0.7, 1.3), (1.3, -0.7), (2.0, 0.5), (1e-100, 2.5), (1e100, -1.5), (beside(1.0)[1], 1e15), (10.0, 300.0),
            (0.5, 1000.0), (3.7, 1e-8)],
    "atan2": [*PAIRS, (1.0, 1e-20), (1e-20, -1.0), (-1e-20, -1.0)],
    **{name: [*PAIRS, (1e8, 1.0), (1.0, 1e8), (1.0, 1e-8)] for name in ("hypot", "norm")},
    "xlogy": [(0.7, 1.3), (-0.7, 0.3), (0.0, 0.3), (1e-8, 3.7), (3.7, 1e-8), (1e10, beside(1.0)[1]), (2.0, 1e300)],
    "polygamma": [(n, x) for n in (0.0, 1.0, 3.0) for x in (0.3, 1.4616, 3.7, 36.0, -2.7)],
    "leaky_relu": [(0.7, 0.01), (-0.7, 0.01), (-1e10, 0.2), (1e-300, 0.3)],
    "elu": [(0.7, 1.0), (-0.7, 1.0), (-1e-10, 2.0), (-40.0, 0.5), (-700.0, 1.5)],
    "gaussian": [(0.7, -0.5), (3.0, -0.5), (30.0, -0.5), (1e-8, -1.0), (0.0, -0.5), (2.0, 1.0), (38.0, -0.5)],
    **{name: [(0.7, 1.3), (-0.7, 1.3), *CLOSE] for name in ("logsumexp", "softmax", "log_softmax")},
}  # fmt: skip


def points(name):
    return [(x,) for x in DOMAINS[name]] if name in DOMAINS else COUPLES[name]


AT_ZERO = ("log", "log2", "log10", "sqrt", "cbrt", "reciprocal", "abs", "relu", "sign", "step")
GAMMAS = ("gamma", "lgamma", "polygamma")


def taken(name):
    """How often a function is differentiated with respect to each operand."""
    return [n for n in ORDERS[len(points(name)[0])] if name != "polygamma" or not n[0]]


def distance(name, x):
    """Something not above the distance to the next singularity, kink or cut, or 1, for each operand."""
    sizes = [mpf(1) for _ in x]
    if name in (*AT_ZERO, "leaky_relu", "elu", "pow"):
        sizes[0] = abs(x[0])
    if name in ("asin", "acos", "atanh", "acosh", "log1p"):
        sizes = [abs(1 - abs(x[0]))]
    if name == "tan":
        sizes = [abs(mp.cos(x[0]))]
    if name in ("floor", "ceil"):
        sizes = [min(x[0] - mp.floor(x[0]), mp.ceil(x[0]) - x[0])]
    if name == "logit":
        sizes = [min(x[0], 1 - x[0])]
    if name in GAMMAS:
        sizes[0], sizes[-1] = mpf(0), x[-1] if x[-1] > 0 else abs(x[-1] - mp.nint(x[-1]))
    if name in ("truediv", "xlogy"):
        sizes[1] = abs(x[1])
    if name == "mod":
        turn = x[0] / x[1] - mp.floor(x[0] / x[1])
        sizes = [min(turn, 1 - turn) * min(1, abs(x[1]), x[1] ** 2 / abs(x[0])) / 9] * 2
    if name in ("maximum", "minimum"):
        sizes = [abs(x[0] - x[1]) / 4] * 2
    if name in ("atan2", "hypot", "norm"):
        sizes = [mp.hypot(*x) / 4] * 2
    if name == "atan2" and x[1] < 0:
        sizes[0] = min(sizes[0], abs(x[0]))
    return [min(size, mpf(1)) for size in sizes]


def by_circles(name, x):
    """All derivatives, by Cauchy's integral: the coefficients of the Fourier series over circles around the point."""
    f, radii = FUNCTIONS[name], [mpf("1e-45") * size for size in distance(name, x)]
    roots = [mp.expjpi(mpf(2) * k / CIRCLE) for k in range(CIRCLE)]
    around = [range(CIRCLE) if r else [0] for r in radii]  # an order stays as it is
    values = {
        places: f(*[z + r * roots[k] for z, r, k in zip(x, radii, places, strict=True)]) for places in product(*around)
    }
    result = {}
    for orders in taken(name):
        total = mp.fsum(
            value * math.prod([roots[-n * k % CIRCLE] for n, k in zip(orders, places, strict=True)], start=mpf(1))
            for places, value in values.items()
        ) / len(values)
        for n, r in zip(orders, radii, strict=True):
            total *= mp.factorial(n) / r**n
        # Below this, it is what rounding and the finite number of points leave of 0.
        share = mpf("1e-600") * mpf("1e45") ** sum(orders) + mpf("1e-350")
        size = max(1, *map(abs, values.values())) / math.prod(
            [(r * mpf("1e45")) ** n for n, r in zip(orders, radii, strict=True)]
        )
        result[orders] = mp.re(total), size * share
    return result


def by_differences(name, x, orders):
    f = FUNCTIONS[name]
    return mp.re(
        f(*x) if not sum(orders) else mp.diff(f, x if len(x) > 1 else x[0], orders if len(x) > 1 else orders[0])
    )


def rows():
    for name in FUNCTIONS:
        mp.dps = DIGITS if name != "polygamma" else 300  # it takes minutes a number, and nothing in it cancels
        for operands in points(name):
            x = tuple(map(mpf, operands))
            circles = by_circles(name, x)
            for orders in taken(name):
                first, (second, least) = by_differences(name, x, orders), circles[orders]
                if max(abs(first), abs(second)) <= least:  # a derivative that is 0, and what rounding leaves of it
                    first = second = mpf(0)
                if abs(first - second) > mpf("1e-52") * abs(first):
                    sys.exit(f"{name}{operands}, {orders}: {mp.nstr(first, 20)} or {mp.nstr(second, 20)}")
                text = mp.nstr(first, 50, min_fixed=-5, max_fixed=6) if first else "0.0"
                yield name, " ".join(map(float.hex, operands)), " ".join(map(str, orders)), text


def main():
    lines = []
    for row in rows():
        lines.append(row)
        print(f"\r{len(lines)} lines, {row[0]:12}", end="", file=sys.stderr, flush=True)
    with FILE.open("w", newline="", encoding="ascii") as file:
        file.write(HEADER)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["function", "operands", "derivative", "result"])
        writer.writerows(lines)


if __name__ == "__main__":
    main()
