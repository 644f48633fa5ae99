"""Functions that need care: limits in place of exceptions, no lost digits, and those over sequences of numbers.

The rules of calculus read as in a book because the care stands here. None of it is needed to follow the idea.
"""

from __future__ import annotations

import cmath
import math
import sys
from _thread import _local
from _warnings import warn
from math import inf, isfinite

from ..functions import OVER_NUMBERS, exp, over_numbers, sign, sqrt, unbounded, where
from ..functions import abs as absolute
from ..functions import pow as power

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..functions import Function


def _expm1(z: complex) -> complex:
    real = math.expm1(z.real) * math.cos(z.imag) - 2 * math.sin(z.imag / 2) ** 2
    return complex(real, math.exp(z.real) * math.sin(z.imag))


def _log1p(z: complex) -> complex:
    return complex(math.log1p(z.real * (2 + z.real) + z.imag**2) / 2, math.atan2(z.imag, 1 + z.real))


def _atan2(y: complex, x: complex) -> complex:
    angle = math.atan2(y.real, x.real)  # the rest is small, and keeps a small imaginary part
    c, s = math.cos(angle), math.sin(angle)
    return angle + cmath.atan((y * c - x * s) / (x * c + y * s))


expm1 = over_numbers("expm1", unbounded(math.expm1, lambda x: inf), _expm1)
log1p = over_numbers("log1p", math.log1p, _log1p)
atan2 = over_numbers("atan2", math.atan2, _atan2, arity=2)


def _reciprocal(x: Any) -> Any:
    return 1.0 / x if x else math.copysign(inf, x)


def _cbrt(x: float) -> float:
    root = math.cbrt(x)  # up to 4 units in the last place off in some C libraries: one step of Newton's mends that
    return root + (x / (root * root) - root) / 3.0 if x and isfinite(x) else root


def _product(x: float, y: float) -> tuple[float, float]:
    """x * y as a sum of two floats, exactly, for sizes of 1e-140 to 1e150 (Dekker, Numerische Mathematik 18, 1971)."""
    x_high, y_high = x * 134217729.0, y * 134217729.0  # 2²⁷ + 1
    x_high, y_high = x_high - (x_high - x), y_high - (y_high - y)
    x_low, y_low = x - x_high, y - y_high
    return x * y, ((x_high * y_high - x * y) + x_high * y_low + x_low * y_high) + x_low * y_low


def _gaussian(x: float, c: float) -> float:
    if not 0.0 < math.fabs(c * x * x) < 1e3:  # 1, 0 or infinite, or nan
        return float(exp(c * x * x))
    x, exponent = math.frexp(x)
    c = math.ldexp(c, 2 * exponent)  # c·x² is the same, and now no square is too large or too small to be split
    square, square_rest = _product(x, x)
    power, power_rest = _product(c, square)
    bell: float = exp(power)
    return bell + bell * (power_rest + c * square_rest)


def _ndtr(x: float) -> float:
    z = -x * math.sqrt(0.5)
    if not 0.5 < z < 40.0:
        return 0.5 * math.erfc(z)
    (half, half_rest), (square, square_rest) = _product(0.5 * x, x), _product(z, z)
    error = ((square - half) + (square_rest - half_rest)) / (2.0 * z)  # by which z is too far from 0
    return 0.5 * math.erfc(z) + error * _gaussian(z, -1.0) / math.sqrt(math.pi)


reciprocal = over_numbers("reciprocal", _reciprocal, lambda z: 1.0 / z)
cbrt = over_numbers("cbrt", _cbrt, lambda z: z ** (1 / 3) if z.real >= 0.0 else -((-z) ** (1 / 3)))
gaussian = over_numbers("gaussian", _gaussian, lambda z, c: cmath.exp(c * z * z), arity=2)
ndtr = over_numbers("ndtr", _ndtr)


def cosine(x: Any, y: Any) -> Any:
    """x / √(x² + y²), by the ratio of the smaller side to the larger: then its own slopes cancel nothing.

    >>> cosine(4.0, 3.0)
    0.8
    """
    flat = absolute(x) >= absolute(y)
    longer = where(flat, x, y)
    ratio = where(flat, y, x) / where(longer == 0.0, 1.0, longer)
    length = reciprocal(sqrt(1.0 + ratio * ratio))
    return where((x == 0.0) & (y == 0.0), NOTHING, where(flat, sign(x) * length, sign(y) * ratio * length))


def upright(x: Any, chosen: Any) -> Any:
    """NOTHING, at an x of 0, but if it has slopes of its own they are those of √x: infinite, where it is `chosen`.

    Elsewhere it has none: an infinity that meets a zero is warned of, also in what no result depends on.

    >>> upright(0.0, True) is NOTHING
    True
    """
    return sqrt(where(chosen & (x == 0.0), x, 0.0)) if hasattr(x, "operate") else NOTHING


def power_at_zero(x: Any, y: Any, slope: Any) -> tuple[Any, Any]:
    """The slopes of x**y where x = 0, written such that their own slopes are infinite where they should be.

    With respect to y it is x**y · log x, which is 0 for y > 0 and falls nearly like -x**y next to 0. Where y < 1, the
    slope with respect to x is infinite, and falls with y.

    >>> power_at_zero(0.0, 0.5, 0.0)
    (inf, -0.0)
    """
    zero = x == 0.0
    edge = hasattr(y, "operate") and zero & (y == 1.0)  # a plain number has no slopes that could be infinite
    steep = zero & (y < 1.0)
    cliff = reciprocal(sqrt(where(steep, x, 1.0))) / where(steep & (y != 0.0), y, 1.0)
    corner = slope - sqrt(where(edge, y - 1.0, 1.0))
    d_x = where(steep, where(y == 0.0, upright(y, steep), cliff), where(edge, corner, slope))
    fall = -power(where(zero, x, 1.0), where(zero & (y > 0.0), y * (1.0 - 2.0**-52), 1.0))
    return d_x, where(y > 0.0, fall, upright(x, y <= 0.0))


# The chain rule's product and sum ------------------------------------------------------------------------------------

NOTHING = float("0")  # this very object says that nothing arrives, or is meant to pass: it is told by `is`


class Doubts(_local):
    """Zeros that met infinities in this thread: while a transform or a sweep runs, the first is kept until it ends."""

    depth = 0
    first = ""

    def note(self, rule: Any, operand: Any) -> None:
        """A zero met an infinity, in the slope of that rule with respect to that operand."""
        names = [repr(name) for name in (rule.label, getattr(operand, "label", "")) if name]
        of = f" (of {', from '.join(names)})" if names else ""
        text = f"0 · ∞ in the derivative of {rule.name}{of} was taken as 0, which may be wrong: see docs/accuracy.md"
        self.first = self.first or text
        if not self.depth:
            self.__exit__()

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: Any) -> None:
        self.depth = max(self.depth - 1, 0)
        if self.first and not self.depth:
            text, self.first = self.first, ""
            frame, level = sys._getframe(1), 2
            while frame.f_back and f"{frame.f_globals.get('__name__')}.".startswith("micrograd_plus."):
                frame, level = frame.f_back, level + 1
            warn(text, RuntimeWarning, stacklevel=level)


doubts = Doubts()
_times = over_numbers("times", lambda x, y: x * y if x and y else 0.0, lambda x, y: x * y, arity=2)


def times(x: Any, y: Any, step: tuple[Any, Any] | None = None) -> Any:
    """The product that the chain rule makes: 0 if either is 0, even against infinity.

    What has no influence passes nothing on, where × would make nan of it. An outer Value times 1 is itself: no node.
    With `step`, the rule and the operand of which y is the slope, a warning is due where a zero other than NOTHING
    meets infinity.

    >>> times(0.0, math.inf), times(2.0, 3.0)
    (0.0, 6.0)
    """
    if x is NOTHING or y is NOTHING:
        return NOTHING
    if type(x) is float and (x == 0.0 or x == 1.0):
        product = y if x else 0.0
    elif type(y) is float and (y == 0.0 or y == 1.0):
        product = x if y else 0.0
    else:
        product = _times(x, y)
    if step and type(zero := bottom(product)) is float and not zero and inf in map(_size, (bottom(x), bottom(y))):
        doubts.note(*step)
    return product


def _size(x: Any) -> float:
    return math.fabs(x) if type(x) is float else 0.0


def bottom(x: Any) -> Any:
    """The number inside a Value of Values; any other number as it is.

    >>> from micrograd_plus import Value
    >>> bottom(Value(3.0)), bottom(2.0)
    (3.0, 2.0)
    """
    return x.bottom() if hasattr(x, "bottom") else x


OVER_NUMBERS["times"] = times


def plus(x: Any, y: Any) -> Any:
    """The sum that the chain rule makes; an outer Value plus a float 0 is itself: no node.

    >>> plus(2.0, 3.0), plus(2.0, NOTHING)
    (5.0, 2.0)
    """
    if y is NOTHING:
        return x
    if type(x) is float and type(y) is not float and x == 0.0:
        return y
    if type(y) is float and type(x) is not float and y == 0.0:
        return x
    return x + y


# Over sequences -------------------------------------------------------------------------------------------------------


def in_order(xs: Any, name: str) -> tuple[Any, ...]:
    """The items of a sequence; TypeError, naming the function `name`, if they stand in no order, or have labels.

    >>> in_order([1.0, 2.0], "mean")
    (1.0, 2.0)
    """
    refuse_unordered(xs, name)
    return tuple(xs)


def refuse_unordered(xs: Any, name: str) -> None:
    """TypeError, naming the function `name`, if `xs` is a container whose numbers stand in no order, or have labels."""
    if isinstance(xs, dict | set | frozenset | str | bytes) or hasattr(xs, "iloc"):
        kind, way = type(xs).__name__, "its .to_numpy()" if hasattr(xs, "iloc") else "a list of the numbers"
        raise TypeError(f"{name}: expected numbers in order, got a {kind}: pass {way}")


def _pair(xs: Any, ys: Any) -> tuple[Any, ...]:
    xs, ys = in_order(xs, "dot"), in_order(ys, "dot")
    if len(xs) != len(ys):
        raise ValueError(f"dot: the sequences have different lengths, {len(xs)} and {len(ys)}")
    return (*xs, *ys)


def _sum(*x: Any) -> Any:
    if complex in map(type, x):
        return complex(_sum(*[z.real for z in x]), _sum(*[z.imag for z in x]))
    try:
        return math.fsum(x)
    except OverflowError:  # on the way: the sum may be finite
        return math.ldexp(1.0, 64) * math.fsum([math.ldexp(z, -64) for z in x])
    except ValueError:  # inf - inf
        return math.nan


def _dot(*x: Any) -> Any:
    pairs = list(zip(x[: len(x) // 2], x[len(x) // 2 :], strict=True))
    if complex in map(type, x):
        return _sum(*[a * b for a, b in pairs])
    parts = [part for a, b in pairs for part in _product(a, b)]
    return _sum(*(parts if all(map(isfinite, parts)) else [a * b for a, b in pairs]))


def _weights(x: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    """The largest of `x`, and exp(z - largest) for each z of `x`, without the rounding of that difference."""
    top = max(x, key=lambda z: z.real)
    weights = []
    for z in x:
        distance = z - top
        back = distance - z
        lost = (z - (distance - back)) - (top + back)  # Knuth, The Art of Computer Programming 2, 4.2.2
        weight = 1.0 if z == top else exp(distance)
        weights.append(weight + weight * lost if isfinite(lost.real) else weight)
    return top, weights


def _log_total(x: tuple[Any, ...]) -> tuple[Any, Any]:
    """The largest of `x`, and the logarithm of the sum of all weights, of which the largest one's is 1."""
    top, weights = _weights(x)
    del weights[x.index(top)]
    return top, log1p(_sum(*weights))


def _logsumexp(*x: Any) -> Any:
    top, rest = _log_total(x) if x else (-inf, 0.0)
    return top + rest


def _softmax(*x: Any) -> list[Any]:
    top, weights = _weights(x)
    total = _sum(*weights) if top != -inf else math.nan  # a mask that hides everything is a mistake
    return [weight / total for weight in weights]


def _log_softmax(*x: Any) -> list[Any]:
    top, rest = _log_total(x)
    if top == -inf:
        return [math.nan] * len(x)
    return [(z - top if z != top else 0.0) - rest for z in x]  # of infinities, the difference would be nan


def _each(name: str, every: Function) -> Function:
    """From all numbers to all results. Over Values each result is an operation, its own operand turned to the front:
    of the shares of x, y, z, the second is softmax([y, z, x])[0].
    """
    at_once = over_numbers(name, every, every, pack=tuple)

    def function(xs: Any) -> list[Any]:
        xs = in_order(xs, name)
        if any(hasattr(x, "operate") for x in xs):
            return [at_once(xs[i:] + xs[:i]) for i in range(len(xs))]
        return list(at_once(xs)) if xs else []

    function.__name__ = function.__qualname__ = name
    OVER_NUMBERS[name] = function
    return function


sum = over_numbers("sum", _sum, _sum, pack=lambda xs: in_order(xs, "sum"))
dot = over_numbers("dot", _dot, _dot, pack=_pair)
logsumexp = over_numbers("logsumexp", _logsumexp, _logsumexp, pack=lambda xs: in_order(xs, "logsumexp"))
softmax = _each("softmax", _softmax)
log_softmax = _each("log_softmax", _log_softmax)


def mean(xs: Any) -> Any:
    """The mean of a sequence of numbers; ZeroDivisionError if it is empty.

    >>> mean([1.0, 2.0, 6.0]), mean([1e308, 1e308])
    (3.0, 1e+308)
    """
    xs = in_order(xs, "mean")
    total = sum(xs)
    if (total == inf) is True or (total == -inf) is True:  # it may be too large where the mean is not
        return sum([x / len(xs) for x in xs])
    return total / len(xs)
