"""Every value and every partial derivative against mpmath at 50 digits, in units in the last place.

The exact results are those at the doubles themselves, not at the decimal numbers they stand for. The limit is 4 units
wherever the exact result is a normal number; the exceptions are the rows of a table in docs/accuracy.md, read here.
"""

import math
import random
import re
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import mpmath
import pytest
from mpmath import mp, mpf

import micrograd_plus as mg
from micrograd_plus.rules import RULES

LIMIT = 4.0
PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
LEAST, MOST = sys.float_info.min, sys.float_info.max  # of the normal numbers


# The exact results: for each operation, the value and the partial derivatives, None where there is none --------


def fraction(x):
    return Fraction(float(x))


def rounded(x):
    return mpf(x.numerator) / x.denominator


def exact_sum(xs):
    return rounded(sum(map(fraction, xs)))


def exact_dot(*x):
    xs, ys = x[: len(x) // 2], x[len(x) // 2 :]
    return rounded(sum(fraction(a) * fraction(b) for a, b in zip(xs, ys, strict=True))), *ys, *xs


def exact_mod(x, y):
    if y == 0:
        return None
    x, y = fraction(x), fraction(y)
    return rounded(x % y), 1, rounded(-Fraction(x // y))


def exact_pow(x, y):
    if x == 0 or (x < 0 and y != int(y)):
        return None
    power = mp.exp(y * mp.log(abs(x))) * (-1 if x < 0 and int(y) % 2 else 1)
    return power, y * power / x, power * mp.log(x) if x > 0 else None


def others(x, i):
    return [z for j, z in enumerate(x) if j != i]


def share(x, i):
    return 1 / (1 + mp.fsum(mp.exp(z - x[i]) for z in others(x, i)))


def exact_softmax(*x):
    shares = [share(x, i) for i in range(len(x))]
    return shares[0], shares[0] * mp.fsum(shares[1:]), *[-shares[0] * z for z in shares[1:]]


def exact_log_softmax(*x):
    shares = [share(x, i) for i in range(1, len(x))]
    return -mp.log1p(mp.fsum(mp.exp(z - x[0]) for z in x[1:])), mp.fsum(shares), *[-z for z in shares]


def exact_logsumexp(*x):
    top = x.index(max(x))
    with mp.workdps(100):
        value = x[top] + mp.log1p(mp.fsum(mp.exp(z - x[top]) for z in others(x, top)))
    return value, *[share(x, i) for i in range(len(x))]


def erfc(x):
    return mp.erfc(min(x, mpf(10**5)))  # beyond, mpmath gives up; no double is that small


def log_ndtr(x):
    if x > -30:
        return mp.log1p(-ndtr(-x)) if x > 0 else mp.log(ndtr(x))
    return -x * x / 2 - mp.log(hazard(x)) - mp.log(2 * mp.pi) / 2


def hazard(x):
    if x > -30:
        return density(x) / ndtr(x)
    fraction = -x
    for k in range(100, 0, -1):
        fraction = k / fraction - x
    return fraction


def is_pole(x):
    return x <= 0 and x == int(x)


def exact_gamma(x):
    if is_pole(x) or x > 200:
        return None
    with mp.workdps(80):
        factorial = mp.gamma(x) if abs(x) < 1e5 else mpf(0)
        return factorial, factorial * mp.psi(0, x) if factorial else None


def exact_lgamma(x):
    if is_pole(x) or x > 1e305 or x < -1e6:
        return None
    with mp.workdps(80):
        value = mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))
        return value, digamma(x)


def digamma(x):
    with mp.workdps(80):
        return mp.log(x) - 1 / (2 * x) if x > 1e40 else mp.psi(0, x)


def exact_polygamma(n, x):
    if is_pole(x) or x < -1e6 or x > 1e6:
        return None
    with mp.workdps(80):
        return mp.psi(int(n), x), None, mp.psi(int(n) + 1, x)


def exact_sinc(x):
    if x == 0:
        return 1, 0
    with mp.workdps(50 + max(0, mp.mag(x) // 3) + max(0, -mp.mag(x))):
        return mp.sincpi(x), (mp.cospi(x) - mp.sincpi(x)) / x


def exact_xlogy(x, y):
    if y <= 0:
        return None
    return (x * mp.log(y) if x else 0), mp.log(y), x / y


def exact_norm(*x):
    length = mp.sqrt(mp.fsum(z * z for z in x))
    return length, *[z / length if length else 0 for z in x]


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def ndtr(x):
    return erfc(-x / mp.sqrt(2)) / 2


def tie(x, y):
    return mpf("0.5") if x == y else int(x > y)


# fmt: off
EXACT = {
    "add":         lambda x, y: (exact_sum([x, y]), 1, 1),
    "sub":         lambda x, y: (exact_sum([x, -y]), 1, -1),
    "mul":         lambda x, y: (x * y, y, x),
    "truediv":     lambda x, y: (x / y, 1 / y, -x / y**2),
    "mod":         exact_mod,
    "pow":         exact_pow,
    "neg":         lambda x: (-x, -1),
    "abs":         lambda x: (abs(x), mp.sign(x)),
    "reciprocal":  lambda x: (1 / x, -1 / x**2),
    "times":      lambda x, y: (x * y, y, x),
    "sign":        lambda x: (mp.sign(x), 0),
    "step":        lambda x: (int(x > 0), 0),
    "floor":       lambda x: (math.floor(float(x)), 0),
    "ceil":        lambda x: (math.ceil(float(x)), 0),
    "maximum":     lambda x, y: (max(x, y), tie(x, y), tie(y, x)),
    "minimum":     lambda x, y: (min(x, y), tie(y, x), tie(x, y)),
    "exp":         lambda x: (mp.exp(x), mp.exp(x)),
    "expm1":       lambda x: (mp.expm1(x), mp.exp(x)),
    "log":         lambda x: (mp.log(x), 1 / x),
    "log1p":       lambda x: (mp.log1p(x), 1 / (1 + x)),
    "log2":        lambda x: (mp.log(x) / mp.log(2), 1 / (x * mp.log(2))),
    "log10":       lambda x: (mp.log(x) / mp.log(10), 1 / (x * mp.log(10))),
    "sqrt":        lambda x: (mp.sqrt(x), 1 / (2 * mp.sqrt(x))),
    "cbrt":        lambda x: (mp.sign(x) * mp.cbrt(abs(x)), 1 / (3 * mp.cbrt(abs(x)) ** 2)),
    "sin":         lambda x: (mp.sin(x), mp.cos(x)),
    "cos":         lambda x: (mp.cos(x), -mp.sin(x)),
    "tan":         lambda x: (mp.tan(x), mp.sec(x) ** 2),
    "asin":        lambda x: (mp.asin(x), 1 / mp.sqrt((1 - x) * (1 + x))),
    "acos":        lambda x: (mp.acos(x), -1 / mp.sqrt((1 - x) * (1 + x))),
    "atan":        lambda x: (mp.atan(x), 1 / (1 + x**2)),
    "atan2":       lambda x, y: (mp.atan2(x, y) if x else None, y / (x**2 + y**2), -x / (x**2 + y**2)),
    "hypot":       lambda x, y: (mp.hypot(x, y), x / mp.hypot(x, y), y / mp.hypot(x, y)),
    "sinh":        lambda x: (mp.sinh(x), mp.cosh(x)),
    "cosh":        lambda x: (mp.cosh(x), mp.sinh(x)),
    "tanh":        lambda x: (mp.tanh(x), mp.sech(x) ** 2),
    "asinh":       lambda x: (mp.asinh(x), 1 / mp.sqrt(1 + x**2)),
    "acosh":       lambda x: (mp.acosh(x), 1 / mp.sqrt((x - 1) * (x + 1))),
    "atanh":       lambda x: (mp.atanh(x), 1 / ((1 - x) * (1 + x))),
    "gaussian":    lambda x, y: (mp.exp(y * x**2), 2 * x * y * mp.exp(y * x**2), x**2 * mp.exp(y * x**2)),
    "ndtr":        lambda x: (ndtr(x), density(x)),
    "erf":         lambda x: (mp.erf(x), 2 / mp.sqrt(mp.pi) * mp.exp(-(x**2))),
    "erfc":        lambda x: (erfc(x), -2 / mp.sqrt(mp.pi) * mp.exp(-(x**2))),
    "log_ndtr":    lambda x: (log_ndtr(x), hazard(x)),
    "gamma":       exact_gamma,
    "lgamma":      exact_lgamma,
    "polygamma":   exact_polygamma,
    "sinc":        exact_sinc,
    "xlogy":       exact_xlogy,
    "logit":       lambda x: (mp.log(x / (1 - x)), 1 / (x * (1 - x))) if 0 < x < 1 else None,
    "norm":        exact_norm,
    "relu":        lambda x: (max(x, 0), int(x > 0)),
    "leaky_relu":  lambda x, y: (x, 1, 0) if x > 0 else (y * x, y, x),
    "elu":         lambda x, y: (x, 1, 0) if x > 0 else (y * mp.expm1(x), y * mp.exp(x), mp.expm1(x)),
    "gelu":        lambda x: (x * ndtr(x), ndtr(x) + x * density(x)),
    "sigmoid":     lambda x: (sigmoid(x), sigmoid(x) * sigmoid(-x)),
    "silu":        lambda x: (x * sigmoid(x), sigmoid(x) * (1 + x * sigmoid(-x))),
    "softplus":    lambda x: (max(x, 0) + mp.log1p(mp.exp(-abs(x))), sigmoid(x)),
    "sum":         lambda *x: (exact_sum(x), *[1 for _ in x]),
    "dot":         exact_dot,
    "logsumexp":   exact_logsumexp,
    "softmax":     exact_softmax,
    "log_softmax": exact_log_softmax,
}
# fmt: on


def exact(name, operands):
    """The exact value and partials, each None where it does not exist as a real number; None if the value does not."""
    try:
        results = EXACT[name](*map(mpf, operands))
    except ZeroDivisionError:  # a pole, of the value or only of a slope: the edges have their own tests
        return None
    if results is None or isinstance(results[0], mpmath.mpc) or (results[0] and abs(results[0]) > MOST):
        return None
    return [None if result is None or isinstance(result, mpmath.mpc) else mpf(result) for result in results]


def ulps(computed, true):
    """The distance in units in the last place of the true number; None where that is no normal number."""
    if true == 0:
        return 0.0 if computed == 0.0 else math.inf
    if not LEAST <= abs(true) <= MOST:
        return None
    if not math.isfinite(computed):
        return math.inf
    return float(abs(computed - true) / mpf(2) ** (mp.mag(true) - 53))


# The points: sizes from 1e-300 to 1e300, and the neighbourhoods of what is special ------------------------------------

ENDS = [0.0, 1.0, 2.0, 0.5, *[n * math.pi / 2 for n in (1, 2, 3, 4, 5, 101, 10**6, 10**10 + 1)]]
HUGE = [math.sqrt(MOST), 1e300, MOST]  # the first is where a square overflows
TINY = [math.sqrt(LEAST), LEAST, 2.0**-53, 1e-310, 5e-324]
EXPONENTS = [36.7, 708.3964185322641, 709.782712893384, 710.4758600739439, 714.9]  # exp is 1, 0 or infinite there
BELLS = [5.0, 26.5, 27.2, 37.5, 37.6, 37.7, 38.4]  # where erfc and the bell curve fall below the normal numbers
ZEROS = [0.7517915246935645, 1.2784645427610737]  # of the slopes of gelu and silu, left of 0
SPECIAL = [*ENDS, *HUGE, *TINY, *EXPONENTS, *BELLS, *ZEROS]


@cache
def points():
    rng = random.Random(20240229)
    numbers = []
    for x in SPECIAL:
        numbers += [x, math.nextafter(x, math.inf), math.nextafter(x, -math.inf)]
        numbers += [x * (1.0 + rng.uniform(-1e-15, 1e-15)), x * (1.0 + rng.uniform(-0.1, 0.1))]
        numbers += [x + sign * 10.0 ** rng.uniform(-17, -1) for sign in (-1, 1)]
    for low, high in [(-300, 300)] * 100 + [(-20, 3)] * 100 + [(-3, 1.5)] * 150:
        numbers.append(10.0 ** rng.uniform(low, high))
    return [sign * x for x in numbers for sign in (1.0, -1.0)]


def singles(rng):
    return [(x,) for x in points()]


def couples(rng):
    for _ in range(800):
        x, y = rng.choices(points(), k=2)
        yield x, y
        yield x, x * rng.choice((1.0, -1.0, 1.0 + 10.0 ** rng.uniform(-16, 0), 10.0 ** rng.uniform(-3, 3)))
    for _ in range(100):
        yield rng.uniform(-745, -700), 10.0 ** rng.uniform(0, 300)
        yield rng.randint(1, 20) * 5e-324, 10.0 ** rng.uniform(-16, 0)


def powers(rng):
    yield from couples(rng)
    yield -1.0, 1e197  # the exponent less one is that exponent, even, again
    for _ in range(400):
        x = rng.choice(points())
        yield x, float(rng.randint(-6, 6))
        yield abs(x), rng.choice((-1.5, -0.5, 0.1, 1 / 3, 0.5, 1.5))
        if abs(x) not in (0.0, 1.0):
            yield abs(x), rng.uniform(-745, 709) / math.log(abs(x))
        size = 10.0 ** rng.uniform(0, 18)
        yield math.exp(-rng.uniform(690, 745) / size), size


def bells(rng):
    yield from couples(rng)
    for _ in range(400):
        yield rng.choice(points()), rng.choice((-1.0, -0.5))
        size = 10.0 ** rng.uniform(-150, 150)
        yield size, rng.uniform(-745, 709) / size / size


def sequences(rng):
    spread = [x for x in points() if abs(x) < 50.0]
    for _ in range(200):
        n = rng.randint(1, 5)
        yield [x / 8.0 for x in rng.choices(points(), k=n)]  # so that no sum on the way overflows
        yield rng.choices(spread, k=n)
        yield [rng.gauss(0.0, 10.0 ** rng.uniform(-3, 3)) for _ in range(n)]
        yield [sign * 1e4 + rng.uniform(-30, 30) for sign in (1, -1) for _ in range(n)]
        yield [-math.log(n + 1) * (1.0 + 10.0 ** rng.uniform(-16, 0))] * (n + 1)  # about where logsumexp is zero
        near = rng.uniform(-40, 40)
        yield [near - rng.expovariate(0.05) for _ in range(n + 1)]


def orders(rng):
    for x in points():
        yield float(rng.randint(0, 6)), x


def factors(rng):
    small = [x for x in sequences(rng) if max(map(abs, x)) < 1e150]  # the products are to be floats
    return [[*x, *reversed(x)] if len(x) % 2 else x for x in small]


FOUND = {  # the worst that long random searches found
    "gamma": [(13.557214847246082,), (25.489373353307446,), (-0.504083008264455,)],
    "lgamma": [(1.4990850573692658,), (2.7137222373153804,), (-2.4570247382208006,)],
    "polygamma": [(0.0, -0.504083008264455), (0.0, 1.4616321449683622)],
    "sinc": [(1.4302966531242027,)],
    "tanh": [(-1.3257782689631803,)],
    "sigmoid": [(-2.639762190054948,)],
    "cbrt": [(1.710784585542766,)],
    "erfc": [(1.2286913555054957,)],
    "ndtr": [(-1.706079870901747,)],
    "gelu": [(-1.2536584209685115,)],
    "silu": [(-2.2835101467877243,), (-1.6116446708549397,)],
    "softmax": [(-0.6362674777814689, 6.286767795382364, 0.09048794969634631, 2.998677083477685, 0.9672712013778481)],
}


def operands(name):
    """Many tuples of operands for this operation, always the same."""
    template = RULES[name].template
    make = sequences if "[{" in template else couples if "{y}" in template else singles
    make = {"pow": powers, "gaussian": bells, "dot": factors, "polygamma": orders}.get(name, make)
    many = [*make(random.Random(name)), *FOUND.get(name, [])]
    return [xs for xs in many if all(map(math.isfinite, xs))]


# The table of exceptions ----------------------------------------------------------------------------------------------


class Exemption:
    """A row of the table: operation | what | where | limit in ulp | why."""

    def __init__(self, row):
        self.name, self.what, self.where, limit, self.why = [cell.strip() for cell in row.strip("|\n").split("|")]
        self.limit = float(limit)
        condition = re.fullmatch(r".*?`([^`]+)`.*", self.where)
        self.condition = compile(condition[1] if condition else "True", self.where, "eval")

    def covers(self, i, xs, value):
        if i not in RESULTS[self.what]:
            return False
        return eval(
            self.condition, {"x": xs[0], "y": xs[-1], "xs": xs, "value": math.nan if value is None else float(value)}
        )


RESULTS = {"value": [0], "d/dx": [1], "d/dy": [2], "slopes": range(1, 100), "value, slopes": range(100)}
RESULTS["value, d/dy"] = [0, 2]
EXEMPTIONS = [
    Exemption(row)
    for row in PAGE.read_text(encoding="utf-8").partition("| limit in ulp |")[2].partition("\n\n")[0].splitlines()[2:]
]


@cache
def errors(name):
    """The worst error of this operation, as (ulps, what it is): for each row of the table, and where none covers it."""
    worst = {None: (0.0, "")}
    rows = [row for row in EXEMPTIONS if row.name == name]
    with mp.workdps(50):
        for xs in operands(name):
            true = exact(name, xs)
            if true is None:
                continue
            for i, (result, truth) in enumerate(zip(RULES[name].partials(*xs), true, strict=True)):
                error = ulps(result, truth) if truth is not None else None
                if error is not None:
                    row = next((row for row in rows if row.covers(i, xs, true[0])), None)
                    what = f"result {i} of {name} at {xs!r} is {result!r}, exactly {mpmath.nstr(truth, 20)}"
                    worst[row] = max(worst.get(row, (0.0, "")), (error, what))
    return worst


@pytest.mark.parametrize(("x", "y"), [(1e300, 0.1), (1e-300, 0.3), (1.0 + 5e-14, 2.0**53 + 2.0)])
def test_the_slope_of_a_power_loses_no_digits_where_y_minus_1_would(x, y):
    with mpmath.workdps(50):
        truth = y * mpf(x) ** (mpf(y) - 1)
        assert ulps(mg.grad(lambda x: x**y)(x), truth) <= LIMIT


@pytest.mark.parametrize("name", RULES)
def test_values_and_slopes_are_within_4_ulp(name):
    error, what = errors(name)[None]
    assert what, f"no point was compared: {name}"
    assert error <= LIMIT, f"{error:.3g} ulp: {what}"


@pytest.mark.parametrize("row", EXEMPTIONS, ids=lambda row: f"{row.name}: {row.what}")
def test_the_table_of_exceptions_is_true_and_needed(row):
    assert row.name in RULES, f"there is no operation {row.name}"
    assert row.why
    error, what = errors(row.name).get(row, (0.0, "no point is there"))
    assert error <= row.limit, f"{error:.3g} ulp: {what}"
    assert error > LIMIT, f"no exception is needed, the worst error is {error:.3g} ulp: {what}"
    assert error > row.limit / 1000, f"the limit is too generous, the worst error is {error:.3g} ulp: {what}"


def test_a_unit_in_the_last_place_is_measured_as_the_page_says():
    with mp.workdps(50):
        assert ulps(1.0, mpf(1) + mpf(2) ** -52) == 1.0
        assert ulps(1.0, mpf(1) - mpf(2) ** -53) == 1.0  # below a power of 2 the unit is half as large
        assert ulps(math.inf, mpf(1)) == ulps(math.nan, mpf(1)) == ulps(1e-300, mpf(0)) == math.inf
        assert ulps(0.0, mpf(10) ** -310) is None


# What is made of the operations ---------------------------------------------------------------------------------------


def whole(x):
    """The nearest whole number, the even one of two."""
    below = mp.floor(x)
    return below + (1 if x - below > 0.5 or (x - below == 0.5 and below % 2) else 0)


def exact_remainder(x, y):
    n = whole(x / y)
    return x - n * y, 1, -n


def exact_fmod(x, y):
    n = mp.floor(abs(x / y)) * mp.sign(x) * mp.sign(y)
    return x - n * y, 1, -n


def exact_dist(*x):
    sides = [x[i] - x[i + 2] for i in range(2)]
    length, *slopes = exact_norm(*sides)
    return length, *slopes, *[-slope for slope in slopes]


def exact_log(x, base):
    return mp.log(x) / mp.log(base), 1 / (x * mp.log(base)), -mp.log(x) / (base * mp.log(base) ** 2)


def exact_logaddexp(x, y):
    top = max(x, y)
    value = top + mp.log1p(mp.exp(min(x, y) - top))
    return value, sigmoid(x - y), sigmoid(y - x)


SIZES = (-3.0, 3.0)  # of the operands, as powers of ten
# fmt: off
MADE = {  # the function, its exact value and partials, and the sizes of its operands
    "exp2":      (mg.exp2,      lambda x: (2**x, 2**x * mp.log(2)), (-3.0, 2.9)),
    "degrees":   (mg.degrees,   lambda x: (x * 180 / mp.pi, 180 / mp.pi), (-290.0, 290.0)),
    "radians":   (mg.radians,   lambda x: (x * mp.pi / 180, mp.pi / 180), (-290.0, 290.0)),
    "copysign":  (mg.copysign,  lambda x, y: (abs(x) * mp.sign(y), mp.sign(x) * mp.sign(y), 0), (-290.0, 290.0)),
    "fmod":      (mg.fmod,      exact_fmod, SIZES),
    "remainder": (mg.remainder, exact_remainder, SIZES),
    "trunc":     (mg.trunc,     lambda x: (mp.floor(abs(x)) * mp.sign(x), 0), (-3.0, 17.0)),
    "rint":      (mg.rint,      lambda x: (whole(x), 0), (-3.0, 17.0)),
    "fma":       (mg.fma,       lambda x, y, z: (x * y + z, y, x, 1), SIZES),
    "dist":      (lambda *x: mg.dist(x[:2], x[2:]), exact_dist, (-150.0, 150.0)),
    "hypot":     (mg.hypot,     lambda x, y, z: exact_norm(x, y, z), (-300.0, 300.0)),
    "prod":      (lambda *x: mg.prod(x), lambda x, y, z: (x * y * z, y * z, x * z, x * y), (-90.0, 90.0)),
    "log":       (mg.log,       exact_log, (-150.0, 150.0)),
    "clip":      (lambda x: mg.clip(x, -2.0, 5.0), lambda x: (min(max(x, -2), 5), int(-2 < x < 5)), SIZES),
    "logaddexp": (mg.logaddexp, exact_logaddexp, SIZES),
    "digamma":   (mg.digamma,  lambda x: (digamma(x), mp.psi(1, x)), (-12.0, 12.0)),
    "expit":     (mg.expit,     lambda x: (sigmoid(x), sigmoid(x) * sigmoid(-x)), (-10.0, 2.8)),
}
# fmt: on


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_the_operations_is_within_4_ulp_too(name):
    function, exact, (low, high) = MADE[name]
    rng = random.Random(name)
    count = exact.__code__.co_argcount or 4
    compared = 0
    with mp.workdps(50):
        for _ in range(400):
            xs = [rng.choice((1.0, -1.0)) * 10.0 ** rng.uniform(low, high) for _ in range(count)]
            if name in ("log", "digamma"):
                xs = [*map(abs, xs)]
            with mp.workdps(400):
                true = [mpf(number) for number in exact(*map(mpf, xs))]
            if name == "logaddexp" and abs(true[0]) < 0.001 * max(map(abs, xs)):
                continue  # as logsumexp next to its zero, in the table
            value, slopes = mg.value_and_grad(function, tuple(range(count)))(*xs)
            for result, truth in zip([value, *slopes], true, strict=True):
                error = ulps(result, truth)
                if error is not None:
                    assert error <= LIMIT, f"{name}{xs} is {result}, exactly {mpmath.nstr(truth, 20)}"
                    compared += 1
    assert compared > 400
