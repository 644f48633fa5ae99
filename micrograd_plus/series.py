"""Series: a power series as a number, and with it all derivatives at once, from the same rules.

Let x move with t as x₀ + x₁t + x₂t² + ... What is computed from it is then such a series as well, and the coefficients
are its derivatives, yₖ = y⁽ᵏ⁾ / k!. They follow from the rules alone. A rule says that y′ = Σ s · x′, with a slope s
for each operand x. If the rule runs over series, as it runs over any numbers, then the slopes are series too; and in a
product of series, the coefficients are sums of products. So, with one more sum over all operands x,

    n · yₙ = Σ  x₁ · sₙ₋₁ + 2 · x₂ · sₙ₋₂ + ... + n · xₙ · s₀

The slopes are needed only to n - 1, when yₙ is computed: that is why exp may be its own slope, and sin and cos those of
each other. Nothing is said here of what exp or sin is. (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13,
have a recurrence for each operation instead.)
"""

from __future__ import annotations

from _operator import mul
from itertools import count
from math import factorial, inf

from .functions import number
from .machinery.digits import NOTHING, plus, times
from .machinery.operators import Number, explained
from .machinery.trees import leaves_like, name_of, named, tree_flatten, tree_unflatten
from .rules import FUNCTIONS, RULES, Rule
from .transforms import _run, levels, settle
from .value import bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .functions import Function


def taylor(f: Function, x: Any, n: int) -> list[Any]:
    """The n + 1 coefficients of the Taylor series of `f` around `x`, f⁽ᵏ⁾(x) / k! for k from 0 to n, as in mpmath.

    `f` is a function from one number to one number. ValueError if n is not a whole number from 0 up, TypeError if x, or
    the result of f, is not one number.

    >>> taylor(lambda x: 1.0 / (1.0 - x), 0.0, 5)
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    _is_order(n, "taylor")
    return _expanded(f, x, n, "taylor", lambda y: y.coefficients)


def derivatives(f: Function, n: int) -> Function:
    """All derivatives of `f` up to the n-th, at once: a function from x to the list [f(x), f′(x), ..., f⁽ⁿ⁾(x)].

    They are k! times the coefficients of `taylor`, which raises as well; ValueError if n is above 170, as 171! is too
    large for a float.

    >>> derivatives(lambda x: x**3, 4)(2.0)
    [8.0, 12.0, 12.0, 6.0, 0.0]
    """
    _is_order(n, "derivatives")
    if n > 170:
        raise ValueError(f"derivatives: {n}! is too large for a float; taylor gives the derivatives divided by k!")

    def unscaled(y: Series) -> list[Any]:  # k! · yₖ = (k - 1)! · (k · yₖ)
        return [y.data, *[times(float(factorial(k)), rate) for k, rate in enumerate(y.rates)]]

    return named(f, lambda x: _expanded(f, x, n, "derivatives", unscaled))


def solution(f: Function, y: Any, n: int) -> Any:
    """The Taylor series, around t = 0, of the functions y(t) whose slopes are y′ = f(y), and which begin at `y`.

    `y` is a number or a structure of numbers, and f takes and returns such a structure. In the place of each number of
    y, the result has a list of n + 1 coefficients. ValueError if n is not a whole number from 0 up or f returns another
    structure; TypeError if it returns anything but numbers. (Moore, Interval Analysis, 1966, chapter 11.)

    >>> solution(lambda y: y, 1.0, 4)  # the exponential: 1 / k!
    [1.0, 1.0, 0.5, 0.16666666666666666, 0.041666666666666664]
    """
    _is_order(n, "solution")
    leaves, structure = tree_flatten(y, "solution: y")
    level = next(levels)
    known: dict[Any, Series] = {}
    ys = [Series([number(x, "solution: a number of y")], level, known) for x in leaves]

    def coefficient(slope: Any, k: int) -> Any:
        if is_series_at(slope, level):
            return extended(slope, k).coefficients[k]
        return 0.0 if k else number(slope, "solution: a slope")

    def coefficients(y: Any) -> list[Any]:
        slopes = [settle(s, level) for s in leaves_like(structure, y, f(y), "solution: y and its slope")]
        for k in range(n):
            terms = [coefficient(s, k) for s in slopes]
            for y, term in zip(ys, terms, strict=True):
                y.append(term if k == 0 else term / (k + 1.0))
        return [y.coefficients for y in ys]

    try:
        columns, _ = _run(coefficients, [tree_unflatten(structure, ys)], level)
    finally:
        for y in ys:
            y.forget()
    rows = [columns[i : i + n + 1] for i in range(0, len(columns), n + 1)]
    return tree_unflatten(structure, rows)


class Series(Number):
    """A power series: its first `coefficients`, and how to get more of them. `taylor` and `solution` make them.

    A comparison looks at the leading coefficient alone, which is also the `data` for which the series stands when its
    transform is over. Of two equal operations on the same series there is one Series, in `known`.
    """

    __slots__ = (
        *("coefficients", "finite", "first", "known", "label", "level"),
        *("operands", "plain", "rates", "rule", "serial", "terms"),
    )
    transient = True

    def __init__(self, coefficients: list[Any], level: int, known: dict[Any, Series], finite: bool = False) -> None:
        self.coefficients, self.level, self.known, self.finite = coefficients, level, known, finite
        self.rates = coefficients[1:]  # k · xₖ, those of x'; it begins with two coefficients at most
        self.serial = next(_serials)
        self.label = ""
        self.plain = finite and all(type(c) is float for c in coefficients)  # there are floats in it, and nothing else
        self.rule: Rule | None = None
        self.operands: tuple[Any, ...] = ()
        self.first: list[Any] = []  # the leading coefficients of the slopes, None for a constant operand
        self.terms: list[tuple[list[Any], Any]] | None = None  # for each operand, its rates and its slope

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, of which this series is the deepest."""
        operands = tuple([number(x, name) for x in operands])
        if name == "mul" or name == "pow":  # these come up all the time: x * 1, x**1, x**0
            x, y = operands
            if type(y) is float and (y == 1.0 or (y == 0.0 and name == "pow")):
                return x if y else 1.0
            if type(x) is float and x == 1.0 and name == "mul":
                return y
        return self.apply(RULES[name], operands)

    def apply(self, rule: Rule, operands: tuple[Any, ...]) -> Any:
        """The series of an operation, with its first coefficient; it is made once."""
        level = self.level
        place = (  # each operand by a number, and a float by a text: 0.0 is not -0.0
            rule.partials,
            *[x.serial if is_series_at(x, level) else x.hex() if type(x) is float else -id(x) for x in operands],
        )
        if (found := self.known.get(place)) is not None:
            return found
        numbers = [x.coefficients[0] if is_series_at(x, level) else x for x in operands]
        try:
            value, *first = rule.partials(*numbers)
        except (ValueError, ArithmeticError) as error:
            labels = [x.label if isinstance(x, Series) else "" for x in operands]
            raise explained(error, rule, list(zip(labels, numbers, strict=True))) from None
        node = Series([value], level, self.known)
        node.rule, node.operands, node.first = rule, operands, first
        node.plain = all(x.plain if is_series_at(x, level) else type(x) is float for x in operands)
        self.known[place] = node
        return node

    def compare(self, holds: Callable[[Any, Any], Any], other: Any) -> Any:
        """Whether a comparison holds for the leading coefficients: so ordinary control flow works."""
        return holds(self.data, other.data if is_series_at(other, self.level) else other)

    def __bool__(self) -> bool:
        return bool(self.data)

    @property
    def data(self) -> Any:
        """The leading coefficient: the number around which the series is."""
        return self.coefficients[0]

    def append(self, coefficient: Any) -> None:
        """One more coefficient."""
        self.rates.append(coefficient * float(len(self.coefficients)))
        self.coefficients.append(coefficient)

    def slopes(self) -> list[Series]:
        """The slopes that are series, once the rule has run over the operands."""
        if self.terms is None and self.rule is not None:
            self.terms = []
            formula: Function = FORMULAS.get(self.rule.name, _slopes)
            for x, slope in formula(self):
                if slope is not NOTHING:
                    self.terms.append((x.rates, slope))
        return [slope for _, slope in self.terms or () if is_series_at(slope, self.level)]

    def grow(self, n: int) -> None:
        """The n-th coefficient, from the formula on top of this file. All that it needs is there."""
        if self.rule is None:
            if not self.finite:
                raise ValueError(f"{self!r}: coefficient {n} is not known yet")
            self.coefficients.append(0.0)
            return
        terms = self.terms
        if n == 1:
            terms = [
                (x.rates, slope)
                for x, slope in zip(self.operands, self.first, strict=True)
                if is_series_at(x, self.level) and slope is not NOTHING
            ]
        total: Any = NOTHING
        ended = True  # if all operands have ended, as polynomials do, so has this series: no 0 · ∞ is made of it
        for rates, slope in terms or ():
            if type(slope) is Series and slope.level == self.level:
                ended = ended and not rates
                back = slope.coefficients[n - 1 :: -1]
                if self.plain:
                    total += sum(map(mul, rates, back))
                    continue
                pairs: Any = zip(rates, back, strict=False)
            elif len(rates) >= n:
                ended = False
                pairs = [(rates[n - 1], slope)]
            else:
                continue
            for a, b in pairs:
                total = plus(total, product(a, b))
        if not ended:
            self.rates += [0.0] * (n - 1 - len(self.rates))
            self.rates.append(total)
        self.coefficients.append(total if n == 1 or (type(total) is float and total == 0.0) else total / float(n))

    def forget(self) -> None:
        """Let go of everything that was computed from it: there are circles in it, as exp is its own slope."""
        for node in self.known.values():
            node.terms = None
        self.known.clear()

    def __copy__(self) -> Series:
        return self

    def __deepcopy__(self, memo: Any) -> Series:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} belongs to a transform and cannot be pickled: take its .data, the number alone")

    def __repr__(self) -> str:
        label = f"{self.label}, " if self.label else ""
        return f"<{label}a series that begins with {', '.join(map(repr, self.coefficients[:3]))}>"


def is_series_at(x: Any, level: int) -> bool:
    """Whether `x` is a series of that level; all else is a constant to it."""
    return type(x) is Series and x.level == level


def product(x: Any, y: Any) -> Any:
    """The product of two coefficients; that of 0 and infinity is nan, and not 0, as it might be anything."""
    a, b = bottom(x), bottom(y)
    return x * y if type(a) is type(b) is float and a * b != a * b else times(x, y)


_serials = count(1)


def _expanded(f: Function, x: Any, n: int, name: str, read: Function) -> list[Any]:
    """What `read` finds, a list of numbers, in the series of `f` around `x` up to the order n."""

    def numbers(t: Any) -> list[Any]:
        y = number(settle(f(t), level), f"{name}: the result of {name_of(f)}")
        found = read(extended(y, n)) if is_series_at(y, level) else [y]
        return [*found[: n + 1], *[0.0] * (n + 1 - len(found))]

    level = next(levels)
    t = Series([number(x, f"{name}: the argument"), 1.0], level, {}, finite=True)
    try:
        return list(_run(numbers, [t], level)[0])
    finally:
        t.forget()


def _is_order(n: Any, name: str) -> None:
    if type(n) is not int or n < 0:
        raise ValueError(f"{name}: n must be a whole number from 0 up, got {n!r}")


def extended(root: Series, n: int) -> Series:
    """The same series, with its coefficients up to the n-th, and whatever they need. No recursion.

    First it is found who needs how many: the operands as many, the slopes one less, their slopes one less again. Then
    come the first coefficients of all, in the order in which the series were made, then the second, and so on.
    """
    found: list[tuple[int, int, Series]] = []
    seen: set[int] = set()
    layer = [root]
    for order in range(n, 0, -1):
        slopes: list[Series] = []
        while layer:
            node = layer.pop()
            if node.serial not in seen and len(node.coefficients) <= order:
                seen.add(node.serial)
                found.append((node.serial, order, node))
                layer += [x for x in node.operands if is_series_at(x, node.level)]
                if order > 1:
                    slopes += node.slopes()
        layer = slopes
    found.sort()
    for k in range(1, n + 1):
        for _, order, node in found:
            if k <= order and len(node.coefficients) == k:
                node.grow(k)
    return root


def _slopes(node: Any) -> list[tuple[Series, Any]]:
    """The operands that are series, and the slopes: the rule runs over series."""
    _, *partials = node.rule.partials(*node.operands)
    return [(x, s) for x, s in zip(node.operands, partials, strict=True) if is_series_at(x, node.level)]


def _slopes_of_quotient(node: Any) -> list[tuple[Series, Any]]:
    """As `_slopes`, but of a quotient: its rule divides again, so that the slopes of slopes would never come to an end.

    1 / y has an end. It may lose a digit against a division, which no higher coefficient notices.
    """
    x, y = node.operands
    if not is_series_at(y, node.level):
        return _slopes(node)
    inverse = FUNCTIONS["reciprocal"](y)
    size = bottom(inverse.data)
    if type(size) is float and not 0.0 < abs(size) < inf:  # 1 / y is no number, the quotient may be one
        return _slopes(node)
    return [(z, s) for z, s in ((x, inverse), (y, -node * inverse)) if is_series_at(z, node.level)]


FORMULAS: dict[str, Function] = {"truediv": _slopes_of_quotient}
