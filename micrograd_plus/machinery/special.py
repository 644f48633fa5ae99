"""Special functions over floats, to the last digits: the gamma function and its kin, the tail of the bell curve, sinc.

And the functions of math that take one more argument, or any number of them: log(x, base) and hypot(x, y, z).
"""

from __future__ import annotations

import cmath
import math
from math import hypot as hypot_of_floats
from math import inf, nan, pi
from math import log as log_of_float

from ..functions import OVER_NUMBERS, deepest, floor, over_numbers, sin, sqrt, unbounded, where
from ..functions import abs as absolute
from ..functions import hypot as hypot_of_two
from ..functions import log as natural_log
from ..functions import pow as power
from .digits import NOTHING, gaussian, in_order, ndtr, sum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# More arguments -------------------------------------------------------------------------------------------------------


def log(x: Any, base: Any = None) -> Any:
    """The logarithm of x, to the base e if no other is given."""
    if base is not None:
        return natural_log(x) / natural_log(base)
    if type(x) is float:  # as natural_log does, without a call more
        return log_of_float(x)
    return x.operate("log", (x,)) if hasattr(x, "operate") else natural_log(x)


def hypot(x: Any = 0.0, y: Any = 0.0, *more: Any) -> Any:
    """The length of the vector of these coordinates."""
    if more:
        return norm((x, y, *more))
    if type(x) is float and type(y) is float:
        return hypot_of_floats(x, y)
    if hasattr(x, "operate") or hasattr(y, "operate"):
        return deepest((x, y)).operate("hypot", (x, y))
    return hypot_of_two(x, y)


norm = over_numbers(
    "norm",
    math.hypot,
    lambda *z: cmath.sqrt(sum([x * x for x in z])),
    pack=lambda xs: in_order(xs, "norm"),
)
OVER_NUMBERS |= {"log": log, "hypot": hypot}


def directions(x: tuple[Any, ...]) -> list[Any]:
    """The cosines of the angles between the vector x and the axes, x / norm(x); 0 if it has no length.

    >>> directions((2.0, -1.0, 2.0)), directions((0.0,))
    ([0.6666666666666666, -0.3333333333333333, 0.6666666666666666], [0.0])
    """
    largest = absolute(x[0])  # by which all is divided: the length alone may be too large or too small for a float
    for z in x[1:]:
        largest = where(absolute(z) > largest, absolute(z), largest)
    some = largest > 0.0
    scale = where(some, largest, 1.0)
    scaled = [z / scale for z in x]
    length = where(some, sqrt(sum([z * z for z in scaled])), 1.0)
    return [where(some, z / length, NOTHING) for z in scaled]


# The gamma function ---------------------------------------------------------------------------------------------------

BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798]  # B₂, B₄, ...
ROOT, ROOT_REST = 1.4616321449683622, 9.549995429965697e-17  # where the digamma function is zero, as a sum
FAR = 12.0  # from here on asymptotic series are exact


def _hurwitz(s: float, x: float) -> float:
    """The sum of (x + k)**-s over k = 0, 1, ..., by the formula of Euler and Maclaurin (DLMF 25.11.43)."""
    terms = []
    while x < FAR + s:
        terms.append(power(x, -s))
        x += 1.0
    last = power(x, -s)
    terms += [last * x / (s - 1.0), last / 2.0]
    factor = last * s / x / 2.0
    for k, bernoulli in enumerate(BERNOULLI, 1):
        terms.append(bernoulli * factor)
        factor *= (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2) * x * x)
    return math.fsum(terms) if math.isfinite(terms[0]) else terms[0]


def _digamma(x: float) -> float:
    """For x > 0: ψ(x), less ψ at its zero, which is a sum of positive terms for small x (DLMF 5.7.6, 5.11.2)."""
    series = [b / (2 * k) for k, b in enumerate(BERNOULLI, 1)]
    if x >= FAR:
        u = 1.0 / x / x
        tail = 0.0
        for c in reversed(series):
            tail = (tail + c) * u
        return math.log(x) - (0.5 / x + tail)
    distance = (x - ROOT) - ROOT_REST
    terms = [1.0 / (k + x) / (k + ROOT) for k in range(int(FAR))]
    a, b = FAR + x, FAR + ROOT
    terms += [math.log1p(distance / b) / distance, 0.5 / (a * b)]
    u, v, p, q = 1.0 / (a * a), 1.0 / (b * b), 0.0, 0.0
    for c in [*reversed(series), 0.0]:
        p, q = p * u + c, q * v + p  # of the polynomial p the slope between u and v, by Horner's scheme
    terms.append((a + b) * u * v * q)
    return distance * math.fsum(terms) if math.isfinite(terms[0]) else -inf


def _cotangent(x: float) -> float:
    """cot(πx)."""
    rest = math.remainder(x, 1.0)
    if abs(rest) <= 0.25:
        return 1.0 / math.tan(pi * rest)
    return math.copysign(math.tan(pi * (0.5 - abs(rest))), rest)


def _polygamma(n: float, x: float) -> float:
    if n != n or x != x or x == -inf:
        return nan
    if not 0.0 <= n <= 100.0 or n % 1.0:
        raise ValueError(f"the order must be a whole number from 0 to 100, not {n!r}")
    if x <= 0.0 and x % 1.0 == 0.0:
        raise ValueError("math domain error")
    if x == inf:
        return inf if n == 0.0 else math.copysign(0.0, n % 2.0 - 0.5)
    sign = 1.0 if n % 2.0 else -1.0
    if x > 0.0:
        return _digamma(x) if n == 0.0 else sign * math.factorial(int(n)) * _hurwitz(n + 1.0, x)
    derivative = [0.0, 1.0]  # of the cotangent, as a polynomial in it: that of c is -(1 + c²)
    for _ in range(int(n)):
        slope = [k * c for k, c in enumerate(derivative)][1:]
        derivative = [-(a + b) for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    cotangent, turned = _cotangent(x), 0.0
    for c in reversed(derivative):
        turned = turned * cotangent + c
    return -sign * _polygamma(n, 1.0 - x) - math.pow(pi, n + 1.0) * turned  # DLMF 5.15.6


_zetas: list[float] = []


def _lgamma(x: float) -> float:
    if not 0.0 < x < 3.5:
        return math.lgamma(x)
    if not _zetas:
        _zetas.extend([_hurwitz(float(k), 2.0) / k for k in range(2, 40)])
    whole = 1 if x < 1.35 else 2 if x < 2.5 else 3
    z = x - whole if x >= 0.5 else x
    series = 0.0
    for c in reversed(_zetas):  # log Γ(2 + z) = (1 - γ) z + Σ (ζ(k) - 1) (-z)**k / k (DLMF 5.7.3)
        series = (series + c) * -z
    series = z * (0.42278433509846713 - series)
    if whole > 1:
        return series + math.log(x - 1.0) if whole == 3 else series
    return series - math.log1p(z) - (math.log(x) if x < 0.5 else 0.0)


def _gamma(x: float) -> float:
    return math.exp(_lgamma(x)) if 0.1 < x < 3.5 and x % 1.0 else math.gamma(x)  # nearer than that


polygamma = over_numbers("polygamma", _polygamma, arity=2)
gamma = over_numbers("gamma", unbounded(_gamma, lambda x: math.copysign(inf, x)))
lgamma = over_numbers("lgamma", unbounded(_lgamma, lambda x: inf))

# The tail of the bell curve -------------------------------------------------------------------------------------------

TAIL = -10.0  # from here on a short continued fraction is exact, and nothing is near the smallest floats


def hazard(x: Any) -> Any:
    """The bell curve divided by the area up to x, φ(x) / Φ(x): -x + 1/(-x + 2/(-x + ...)) on the left (DLMF 7.9.2).

    >>> round(hazard(-1e8)), round(hazard(0.0), 7)
    (100000000, 0.7978846)
    """
    far = x < TAIL
    near = where(far, 0.0, x)
    down = where(far, -x, -TAIL)
    fraction = down
    for k in range(12, 0, -1):
        fraction = down + k / fraction
    return where(far, fraction, gaussian(near, -0.5) / math.sqrt(2.0 * pi) / ndtr(near))


def _log_ndtr(x: float) -> float:
    if x > 0.0:
        return math.log1p(-ndtr(-x))
    if x > TAIL:
        return math.log(ndtr(x))
    return -0.5 * x * x - (0.5 * math.log(2.0 * pi) + math.log(hazard(x)))


log_ndtr = over_numbers("log_ndtr", _log_ndtr)

# sin(πx) / (πx) -------------------------------------------------------------------------------------------------------


def _sinc(x: float) -> float:
    rest = math.remainder(x, 2.0)
    if abs(rest) > 0.5:
        rest = math.copysign(1.0 - abs(rest), rest)
    return 1.0 if abs(x) < 1e-20 else math.sin(pi * rest) / (pi * x)


sinc = over_numbers("sinc", _sinc, lambda z: cmath.sin(pi * z) / (pi * z) if z else 1.0 + 0.0 * z)


def sinc_slope(x: Any) -> Any:
    """The derivative of sinc, (cos πx - sinc x) / x; where |x| < ½ by the series of sinc, which cancels nothing.

    >>> sinc_slope(0.0), round(sinc_slope(1.0), 15)
    (0.0, -1.0)
    """
    near = absolute(x) < 0.5
    small, large = where(near, x, 0.0), where(near, 1.0, x)
    square, series = small * small, 0.0
    for k in range(13, 0, -1):
        series = series * square + (-1.0) ** k * 2 * k * pi ** (2 * k) / math.factorial(2 * k + 1)
    turn = large - 2.0 * floor(0.5 * large + 0.5)
    cosine = sin(pi * where(turn < 0.0, 0.5 + turn, 0.5 - turn))  # of πx, right to the last digit next to its zeros
    return where(near, small * series + 0.0, (cosine - sinc(large)) / large)
