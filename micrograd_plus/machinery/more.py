"""More functions, made of the operations: what else `math`, NumPy and SciPy have, under their names.

None of these is a rule: each is a formula of operations that have one, and so works with every kind of number.
"""

from __future__ import annotations

from math import inf, pi

from ..functions import number, where
from ..rules import FUNCTIONS
from .digits import in_order
from .operations import MORE

__all__ = ["MORE"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..functions import Function

_abs, _add, _ceil, _dot, _floor = (FUNCTIONS[name] for name in ("abs", "add", "ceil", "dot", "floor"))
_hypot, _logsumexp, _maximum, _minimum = (FUNCTIONS[name] for name in ("hypot", "logsumexp", "maximum", "minimum"))
_mod, _mul, _pow, _reciprocal = (FUNCTIONS[name] for name in ("mod", "mul", "pow", "reciprocal"))

MORE |= {"fsum": FUNCTIONS["sum"], "sumprod": _dot, "expit": FUNCTIONS["sigmoid"], "fabs": _abs}


def _offered(function: Function) -> Function:
    function.__module__ = "micrograd_plus"
    MORE[function.__name__] = function
    return function


# Of math --------------------------------------------------------------------------------------------------------------


@_offered
def exp2(x: Any) -> Any:
    """The power 2**x.

    >>> exp2(10.0)
    1024.0
    """
    return _pow(2.0, x)


@_offered
def degrees(x: Any) -> Any:
    """The angle x, given in radians, in degrees.

    >>> degrees(pi)
    180.0
    """
    return _mul(x, 180.0 / pi)


@_offered
def radians(x: Any) -> Any:
    """The angle x, given in degrees, in radians.

    >>> radians(180.0)
    3.141592653589793
    """
    return _mul(x, pi / 180.0)


@_offered
def copysign(x: Any, y: Any) -> Any:
    """The absolute value of x with the sign of y, also of a zero; as that of abs, its slope at x = 0 is 0.

    >>> copysign(3.0, -0.0)
    -3.0
    """
    size, y = _abs(x), number(y, "copysign")
    return where((y < 0.0) | (_reciprocal(y) < 0.0), -size, size)


@_offered
def fmod(x: Any, y: Any) -> Any:
    """The remainder of x / y with the sign of x, exactly; ZeroDivisionError at y = 0.

    >>> fmod(-7.0, 3.0), fmod(7.0, -3.0)
    (-1.0, 1.0)
    """
    x, y = number(x, "fmod"), number(y, "fmod")
    size, divisor = where(x < 0.0, -x, x), where(y < 0.0, -y, y)
    rest = _mod(size, divisor)
    return where(x < 0.0, -rest, rest)


@_offered
def remainder(x: Any, y: Any) -> Any:
    """The distance of x from the nearest multiple of y, the even one of two, exactly; ZeroDivisionError at y = 0.

    >>> remainder(7.0, 4.0), remainder(6.0, 4.0), remainder(10.0, 4.0)
    (-1.0, -2.0, 2.0)
    """
    x, y = number(x, "remainder"), number(y, "remainder")
    size, divisor = where(x < 0.0, -x, x), where(y < 0.0, -y, y)
    rest = _mod(size, divisor)
    other = divisor - rest
    even = rest - 2.0 * _mod(0.5 * (size - rest), divisor)
    nearest = where(rest < other, rest, where(rest > other, -other, even))
    return where(x < 0.0, -nearest, nearest)


@_offered
def trunc(x: Any) -> Any:
    """The whole number next to x on the side of 0, a float; its slope is 0.

    >>> trunc(-1.5), trunc(1.5)
    (-1.0, 1.0)
    """
    return where(number(x, "trunc") < 0.0, _ceil(x), _floor(x))


@_offered
def modf(x: Any) -> tuple[Any, Any]:
    """What stands behind the point of x and what stands before it, both with the sign of x.

    >>> modf(-3.25)
    (-0.25, -3.0)
    """
    whole = trunc(x)
    return where(isinf(x), 0.0, x - whole), whole


@_offered
def fma(x: Any, y: Any, z: Any) -> Any:
    """The sum x * y + z, rounded once.

    >>> fma(0.1, 10.0, -1.0), 0.1 * 10.0 - 1.0
    (5.551115123125783e-17, 0.0)
    """
    return _dot([x, z], [y, 1.0])


@_offered
def dist(p: Iterable[Any], q: Iterable[Any]) -> Any:
    """The distance of the points p and q, slopes 0 where they meet; ValueError if one has more coordinates.

    >>> dist([1.0, 1.0], [4.0, 5.0])
    5.0
    """
    p, q = in_order(p, "dist"), in_order(q, "dist")
    if len(p) != len(q):
        raise ValueError(f"dist: the points have different numbers of coordinates, {len(p)} and {len(q)}")
    return _hypot(*[FUNCTIONS["sub"](a, b) for a, b in zip(p, q, strict=True)])


@_offered
def prod(xs: Iterable[Any], *, start: Any = 1.0) -> Any:
    """The product of a sequence, and of `start`.

    >>> prod([2.0, 3.0, 4.0])
    24.0
    """
    product = start
    for x in in_order(xs, "prod"):
        product = _mul(product, x)
    return product


@_offered
def isnan(x: Any) -> Any:
    """Whether x is no number.

    >>> isnan(float("nan")), isnan(1.0)
    (True, False)
    """
    x = number(x, "isnan")
    return x != x


@_offered
def isinf(x: Any) -> Any:
    """Whether x is infinite.

    >>> isinf(-inf), isinf(1.0)
    (True, False)
    """
    x = number(x, "isinf")
    return (x == inf) | (x == -inf)


@_offered
def isfinite(x: Any) -> Any:
    """Whether x is a finite number.

    >>> isfinite(1.0), isfinite(inf)
    (True, False)
    """
    x = number(x, "isfinite")
    return (x < inf) & (x > -inf)


@_offered
def isclose(a: Any, b: Any, *, rel_tol: float = 1e-09, abs_tol: float = 0.0) -> Any:
    """Whether a and b differ by no more than `rel_tol` times the larger one, or `abs_tol`; ValueError if these are < 0.

    >>> isclose(1.0, 1.0 + 1e-10), isclose(1.0, 1.1)
    (True, False)
    """
    if rel_tol < 0.0 or abs_tol < 0.0:
        raise ValueError(f"isclose: tolerances are 0 or more, got {rel_tol!r} and {abs_tol!r}")
    allowed = _maximum(rel_tol * _maximum(_abs(a), _abs(b)), abs_tol)
    return (a == b) | (isfinite(a) & isfinite(b) & (_abs(a - b) <= allowed))


# Of NumPy and SciPy ---------------------------------------------------------------------------------------------------


@_offered
def rint(x: Any) -> Any:
    """The nearest whole number, the even one of two, a float; its slope is 0.

    >>> rint(2.5), rint(2.6)
    (2.0, 3.0)
    """
    below = _floor(x)
    rest, odd = x - below, _mod(below, 2.0) == 1.0
    return below + where((rest > 0.5) | ((rest == 0.5) & odd), 1.0, 0.0)


@_offered
def clip(x: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """The number x, but not under `a_min` nor over `a_max`; None sets no limit. At a tie each has half the slope.

    >>> clip(5.0, 0.0, 1.0), clip(-5.0, None, 1.0)
    (1.0, -5.0)
    """
    if a_min is None and a_max is None:
        return number(x, "clip")
    x = x if a_min is None else _maximum(x, a_min)
    return x if a_max is None else _minimum(x, a_max)


@_offered
def logaddexp(x: Any, y: Any) -> Any:
    """The logarithm of e**x + e**y, without overflow.

    >>> logaddexp(1000.0, 1000.0)
    1000.6931471805599
    """
    return _logsumexp([x, y])


@_offered
def digamma(x: Any) -> Any:
    """The derivative of lgamma (DLMF 5.2.2): accurate also near its zero at 1.46; ValueError at 0, -1, -2 and so on.

    >>> digamma(1.0)
    -0.5772156649015329
    """
    return FUNCTIONS["polygamma"](0.0, x)
