"""How a claimed derivative is judged: by slopes that know no rules, and by how far off these may be themselves.

A claim says what the slope of f is in a direction. It is compared with the complex step, or with differences
extrapolated after Ridders. Neither can be trusted beyond the rounding inside of f, which one cannot see. But one can
shake it: the same computation on other numbers nearby rounds otherwise, and what goes up and down there is noise
(compare Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 2011). It is measured
where f is evaluated: at 0 itself, whose neighbours are 5e-324, there is nothing to be seen.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from random import Random
from typing import Any, NamedTuple

from ..functions import is_complex, is_real
from ..machinery.digits import dot
from ..machinery.trees import NODES, _node_of, tree_fill, tree_flatten, tree_leaves, tree_map, tree_unflatten
from ..tape import operands, tape
from ..value import Value, bottom
from .differences import EPS, Function, complex_step, limit, slope_between

SAFETY = 10.0  # by how much the estimate of an error may be too small
ROUNDING = 1e-12  # what adding up the terms of a slope may lose, as a share of these terms
VAGUE = 1e-3  # an oracle that may be off by this share of a slope tells nothing about it
TINY = 1e-100  # what a complex step of 1e-200 cannot see, for numbers of the size of 1
SHAKES = 16  # neighbours at which noise is looked for


@dataclass(frozen=True)
class Claim:
    """Slopes that are claimed for `f` at `args` in the direction `tangents`, its results weighted by `cotangents`.

    A direction moves a number by something like its own size, so steps of 2**-30 are small for all of them.
    """

    f: Function
    slopes: Callable[[Any, Any, Any], dict[str, list[float]]]  # of each mode, the products that add up to its slope
    args: Any
    tangents: Any
    cotangents: Any
    atol: float
    rtol: float
    traceable: bool  # whether f takes Values
    listening: bool = False  # whether the noise of f is measured where it is evaluated
    rises: bool = False  # whether f has a slope, so that where it stays the same it is on a step of its rounding
    floor: float = 0.0  # the least noise that there is
    stretch: float = 1.0  # how many times as long the direction is as that of the claim it was made from

    def moved(self, t: complex) -> Any:
        structure, numbers, _ = self._line
        return tree_unflatten(structure, [x + t * v for x, v in numbers])

    def along(self, t: complex) -> Any:
        """The function of one number whose slope at 0 is claimed."""
        return dot(self._line[2], [bottom(y) for y in tree_leaves(self.f(*self.moved(t)))])

    @cached_property
    def _line(self) -> tuple[Any, list[tuple[Any, float]], list[float]]:
        """The structure of the arguments, each number with its speed, and the weights of the results."""
        numbers, structure = tree_flatten(self.args)
        return structure, list(zip(numbers, tree_leaves(self.tangents), strict=True)), tree_leaves(self.cotangents)

    def claimed(self) -> dict[str, float]:
        slopes = self.slopes(self.args, self.tangents, self.cotangents)
        return {mode: math.fsum(products) for mode, products in slopes.items()}

    def shaken(self, by: float, stretched: bool = False) -> list[Claim]:
        """The same claim nearby, where each number of argument and direction is moved by itself, by such a share.

        Slopes are proportional to the direction, and rounding is not: it may be stretched besides, up to twice.
        """
        random = Random(0)

        def neighbour(x: float) -> float:
            return x * (1.0 + random.uniform(-by, by))

        others = []
        for _ in range(SHAKES):
            factor = random.uniform(1.0, 2.0) if stretched else 1.0
            args, tangents = tree_map(neighbour, self.args), tree_map(lambda v: factor * neighbour(v), self.tangents)  # noqa: B023
            others.append(replace(self, args=args, tangents=tangents, stretch=factor))
        return others

    def noise(self, t: float) -> float:
        """By how much f goes up and down about this place on the line, apart from the way that it goes as a whole."""
        key = math.copysign(math.frexp(t)[1] // 4 + 1000, t)
        if key not in self._heard:
            # First the nearest numbers that differ, then some farther apart, for sums in which the near ones are lost.
            near = [(t, max(abs(t) * 2.0**-44, 2.0**-50)), (t, t * 2.0**-16), (0.7 * t, t * 2.0**-17)]
            noise = self._unrest(*near)
            if not noise and self.rises:  # on one step: how high is it?
                noise = self._unrest((t, t * 2.0**-10), (t, t * 2.0**-4))
                if not noise and abs(t) < 0.125:
                    noise = self.noise(16.0 * t)
            self._heard[key] = max(self.rounding[0], noise)
        return max(self._heard[key], self.floor)

    def _unrest(self, *places: tuple[float, float]) -> float:
        return max([_restless([self.along(t + k * step).real for k in range(8)]) for t, step in places])

    @cached_property
    def _heard(self) -> dict[float, float]:
        return {}

    @cached_property
    def longest(self) -> float:
        """How far the number moves that moves farthest."""
        return max(map(abs, tree_leaves(self.tangents)), default=0.0) or 1.0

    def complex_step(self) -> float:
        """The slope by a step that moves numbers of every size by about 1e-200, which neither shows nor underflows."""
        return complex_step(self.along, 0.0, 10.0 ** min(-200.0 - math.floor(math.log10(self.longest)), -20.0))

    def between(self, a: float, b: float) -> tuple[float, float]:
        try:  # at 0, which may be a jump, the noise is taken to be that of the other end
            noise = self.noise(a or b) + self.noise(b or a) if self.listening else 0.0
        except (TypeError, ValueError, ArithmeticError, LookupError):  # a neighbour has no value
            return math.nan, math.inf
        return slope_between(self.along, a, b, noise, 1.0)

    def differences(self, h: float = 0.125) -> tuple[float, float]:
        """As `ridders`, of the function along the direction."""
        return limit(lambda h: self.between(-h, h), h, 2)

    def one_sided(self, side: float) -> tuple[float, float]:
        return limit(lambda h: self.between(*sorted((0.0, side * h))), 2.0**-10, 1)

    def tolerated(self, slope: float) -> float:
        """What the caller says that does not matter."""
        return self.atol * self.speed + self.rtol * abs(slope)

    @cached_property
    def speed(self) -> float:
        """How fast a number typically moves, times what a result typically weighs: slopes are told per unit of it."""
        return _typical(tree_leaves(self.tangents)) * _typical(tree_leaves(self.cotangents))

    @cached_property
    def rounding(self) -> tuple[float, float]:
        """What the rounding of every operation on the way may do to the value of f, and to the slope."""
        if not self.traceable:
            return 0.0, 0.0
        inputs = [Value(x) for x in tree_leaves(self.args)]
        outputs = tree_leaves(self.f(*tree_fill(self.args, inputs)))
        weights: dict[Any, float] = defaultdict(float)  # a backward sweep of absolute values: nothing cancels
        for y, cotangent in zip(outputs, tree_leaves(self.cotangents), strict=True):
            weights[y] += abs(cotangent)
        order = tape(*[y for y in outputs if isinstance(y, Value)])
        for node in reversed(order):
            for x, partial in operands(node):
                if partial is not None and abs(partial) < math.inf:
                    weights[x] += weights[node] * abs(partial)
        in_slope = sum([weights[x] * abs(v) for x, v in zip(inputs, tree_leaves(self.tangents), strict=True)])
        return EPS * sum([weights[node] * abs(node.data) for node in order]), EPS * in_slope


def _typical(numbers: list[float]) -> float:
    """The root of the mean square of those that are not 0."""
    some = [x for x in numbers if x] or [1.0]
    return math.hypot(*some) / math.sqrt(len(some))


class Fault(NamedTuple):
    """What is wrong with a claim: a text, of which subject and place are left open, and what each method got."""

    text: str
    rows: list[str]
    method: str = ""  # the oracle that tells that the slope is wrong; the empty string if something else is the matter


class _Oracle(NamedTuple):
    """A slope found without calculus, and how far off it may be."""

    method: str
    slope: float
    error: float


class _Judgement(NamedTuple):
    """The claimed slopes beside that of an oracle."""

    tolerance: float
    factors: list[float]  # the error of each slope, in units of what is tolerated
    apart: float  # by how much they differ among themselves, in units of what rounding explains
    vague: bool  # whether the oracle itself may be off by too much

    @property
    def is_fine(self) -> bool:
        return max(self.factors) <= 1.0 and self.apart <= 1.0 and not self.vague


def parts(claim: Claim) -> Iterator[Claim]:
    """The claim; and the same for those numbers alone that are too small beside the others to be seen in it."""
    yield claim
    for mode, products in claim.slopes(claim.args, claim.tangents, claim.cotangents).items():
        field = "cotangents" if mode in PUSHED else "tangents"  # what the products are of
        directions = tree_leaves(getattr(claim, field))
        large = 1e-6 * max([abs(number) for number in products if number == number], default=0.0)
        small = [v if abs(number) < large else 0.0 for v, number in zip(directions, products, strict=True)]
        if any(small):
            yield from parts(replace(claim, **{field: tree_fill(getattr(claim, field), small)}))


PUSHED = ("forward mode", "f_jvp")  # the modes whose products have one item for each result, not for each argument


def blamed(claim: Claim, field: str, fault: Fault) -> int | None:
    """The number of a leaf of the tangents or cotangents that alone has a fault, found by halving; None if none has."""
    leaves = tree_leaves(getattr(claim, field))
    part = [i for i, v in enumerate(leaves) if v]

    def only(moving: list[int]) -> Claim:
        wanted = set(moving)
        numbers = [v if i in wanted else 0.0 for i, v in enumerate(leaves)]
        return replace(claim, **{field: tree_fill(getattr(claim, field), numbers)})

    while len(part) > 1:
        halves = [part[: len(part) // 2], part[len(part) // 2 :]]
        if fault.method:  # a slope is wrong: the errors of both halves add up to that of all
            part = max(halves, key=lambda half: error_of(only(half), fault.method))
        else:
            part = next((half for half in halves if fault_of(only(half))), [])
    return part[0] if part and (len(leaves) == 1 or fault_of(only(part))) else None


def error_of(claim: Claim, method: str) -> float:
    """How far off the worst of the claimed slopes is, at first sight."""
    slope = slope_of(claim, method)
    return max([abs(claimed - slope) for claimed in _slopes_of(claim)])


def slope_of(claim: Claim, method: str) -> float:
    """The slope by that method, at first sight."""
    if method == "complex step":
        return claim.complex_step()
    return claim.between(-(2.0**-17), 2.0**-17)[0]


def fault_of(claim: Claim) -> Fault | None:
    """What is wrong with the claim, or None."""
    fault = _fault_of(claim)
    if fault and not claim.traceable and (wider := _or_zero(_over_the_stairs, claim)):
        return _fault_of(wider)
    return fault


def _over_the_stairs(claim: Claim) -> Claim | None:
    """The same claim for the slope of a whole staircase, if f is one by rounding, as log(1 + x) is for tiny x.

    A real staircase, as floor(1e6 * x), is known by the height of its steps; its slope is theirs, which is 0.
    """
    while claim.longest < 1.0 and len({claim.along(k * 2.0**-23) for k in range(-4, 5)}) < 5:  # few steps: go farther
        factor = min(16.0, 1.0 / claim.longest)
        claim = replace(claim, tangents=tree_map(lambda v, factor=factor: factor * v, claim.tangents))
    claim = replace(claim, rises=True)
    height = max(replace(claim, listening=True).noise(t) for t in (-(2.0**-30), 2.0**-30))
    is_low = 0.0 < height <= 1e-8 * max(1.0, abs(claim.along(0.0)))
    return claim if is_low or _is_coarse(claim) else None


def _is_coarse(claim: Claim) -> bool:
    """Whether a result has 46 binary digits or less wherever one looks, as what is left when large numbers cancel.

    Whole numbers are those of a real staircase.
    """
    places = [claim.moved(k / 100.0) for k in range(-12, 13)]
    rows = zip(*[[float(bottom(y)) for y in tree_leaves(claim.f(*place))] for place in places], strict=True)
    return any(all(digits(y) <= 46 for y in row) and any(y % 1.0 for y in row) for row in rows)


def digits(x: float) -> int:
    """How many binary digits the number has, without the zeros at its end; 0 if it is not finite.

    >>> digits(0.75), digits(0.1)
    (2, 52)
    """
    return len(f"{abs(x.as_integer_ratio()[0]):b}".rstrip("0")) if math.isfinite(x) else 0


def _fault_of(claim: Claim) -> Fault | None:
    """A first look that costs little, and if that finds fault, a closer one."""
    products = claim.slopes(claim.args, claim.tangents, claim.cotangents)
    claimed = [math.fsum(numbers) for numbers in products.values()]
    rows = [f"  {mode:14} {slope / claim.speed!r}" for mode, slope in zip(products, claimed, strict=True)]
    value = abs(claim.along(0.0))
    bump = max([slope for h in (-0.125, 0.125) if (slope := abs(claim.between(0.0, h)[0])) < math.inf], default=0.0)
    if any(map(math.isnan, claimed)):
        return Fault("the derivative of {subject} {where} is nan", rows)
    if kink := _kink(claim, max(value, bump)):
        return Fault("{subject} has no derivative {where}: " + kink, rows)
    sizes = [math.fsum(map(abs, numbers)) for numbers in products.values()]
    size = max([size for size in sizes if size < math.inf], default=0.0)
    scale = max(size, 1e-6 * value, 1e-3 * bump, TINY * claim.longest)  # how large a slope would be no surprise

    oracle = by_complex_step(claim) or _Oracle("differences", *claim.differences())
    judgement = _judge(claim, claimed, oracle, ROUNDING * size, scale)
    if judgement.is_fine and not _is_lost(oracle, claim):
        return None
    rises = not claim.traceable and oracle.method == "complex step" and oracle.slope != 0.0
    claim = replace(claim, listening=True, rises=claim.rises or rises)
    in_value, in_slope = claim.rounding
    if not claim.traceable:  # a guess, as one cannot look inside
        in_slope = EPS * max(bump, 1e-4 * value)
    oracle = _surer(claim, oracle)
    noise = max(in_value, *[_or_zero(claim.noise, h) for h in (-0.125, 0.125, -(2.0**-8), 2.0**-8)])
    scale = max(scale, abs(oracle.slope), in_slope / EPS, 1e-6 * noise / EPS)
    if oracle.method == "complex step":  # which knows 0 to be 0, but for a few units in the last place of what cancels
        scale = max(scale, 1e-9 * claim.longest)
    # Along the direction, and with all numbers moving: for every large b, x + b rounds x in the same way.
    lines = claim, replace(claim, tangents=direction(claim.args, Random(0)))
    unsteady = max(_or_zero(_unsteady, claim, line, side) for line in lines for side in (-1.0, 1.0))
    rounding = ROUNDING * size + SAFETY * (in_slope + unsteady)
    judgement = _judge(claim, claimed, oracle, rounding + 1e-40 * bump, scale)  # of h² where h is 1e-200
    if judgement.is_fine:
        return None

    if not math.isfinite(oracle.slope):
        return Fault("{subject} cannot be checked {where}: it has no values on both sides", rows)
    seen = f"  {oracle.method:14} {oracle.slope / claim.speed!r} ± {judgement.tolerance / claim.speed:.0e}"
    if judgement.vague:
        return Fault("{subject} is too rough or too steep to be checked {where}", [*rows, seen])
    if max(judgement.factors) <= 1.0:
        text = f"the modes differ on {{subject}} {{where}} by {judgement.apart:.0e} times the tolerance"
        return Fault(text, rows)
    off = [f", off by {factor:.0e} times the tolerance" if factor > 1.0 else "" for factor in judgement.factors]
    rows = [row + note for row, note in zip(rows, off, strict=True)]
    return Fault("the derivative of {subject} {where} is wrong", [*rows, seen], oracle.method)


def spread(numbers: Any) -> float:
    """The largest distance between two of the numbers; 0.0 if one of them is none."""
    numbers = [number.real for number in numbers]
    distance = max(numbers) - min(numbers)
    return distance if distance < math.inf else 0.0


def _restless(values: list[float]) -> float:
    """The noise in a row of values, which are else those of a smooth function."""
    for _ in range(3):  # what is a parabola there has no third differences
        values = [b - a for a, b in pairwise(values)]
    rise = max(map(abs, values)) / 2.0  # the spread of what has such third differences by chance
    return rise if rise < math.inf else 0.0


def _unsteady(claim: Claim, line: Claim, side: float) -> float:
    """The noise in the slopes that are claimed along a line: on one side of the point, at which they may jump.

    Near the point too: where numbers nearly agree, as in a layer norm, a little farther they do not, and cancel less.
    """
    noise = []
    for first, step in ((2.0**-12, 2.0**-30), (2.0**-28, 2.0**-46)):
        places = [line.moved(side * (first + k * step)) for k in range(8)]
        rows = [_slopes_of(replace(claim, args=place)) for place in places]
        noise += [_restless([*slopes]) for slopes in zip(*rows, strict=True)]
    return max(noise)


def _slopes_of(claim: Claim) -> list[float]:
    return [*claim.claimed().values()]


def _or_zero(function: Function, *args: Any) -> Any:
    """What the function returns, or 0.0 where it has no value, as next to the end of a domain."""
    try:
        return function(*args)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return 0.0


def _judge(claim: Claim, claimed: list[float], oracle: _Oracle, rounding: float, scale: float) -> _Judgement:
    rounding += TINY * claim.longest + claim.tolerated(oracle.slope)
    tolerance = SAFETY * oracle.error + rounding
    factors = [_ratio(abs(slope - oracle.slope), tolerance) for slope in claimed]
    apart = _ratio(max(claimed) - min(claimed), SAFETY * rounding)
    return _Judgement(tolerance, factors, apart, not SAFETY * oracle.error <= max(VAGUE * scale, rounding))


def _ratio(error: float, tolerance: float) -> float:
    """How many times the error is the tolerance; infinite, if there is no telling."""
    return error / tolerance if error < math.inf and tolerance < math.inf else math.inf


def by_complex_step(claim: Claim) -> _Oracle | None:
    """The slope by the complex step; None if f does not take complex numbers, or loses the step."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Casting complex values to real")  # NumPy's, of what loses the step
            slope = claim.complex_step()
    except Exception:  # whatever f does to a complex number: floats, at which it runs, will do
        return None
    return _Oracle("complex step", slope, 0.0) if math.isfinite(slope) else None


def _is_near(oracle: _Oracle, claim: Claim) -> bool:
    """Whether the slope is roughly that of a small bump, and not one that large steps find who jump over a peak."""
    bump, rounding = claim.between(-(2.0**-26), 2.0**-26)
    return not abs(oracle.slope - bump) > 1e-3 * max(abs(bump), abs(oracle.slope)) + SAFETY * (oracle.error + rounding)


def _is_lost(oracle: _Oracle, claim: Claim) -> bool:
    """Whether a complex step that is taken for exact is not confirmed by differences, as where abs loses x + ih."""
    slope, error = claim.differences() if oracle.method == "complex step" else oracle[1:]
    return abs(oracle.slope - slope) > SAFETY * error or not _is_near(oracle, claim)


def _surer(claim: Claim, oracle: _Oracle) -> _Oracle:
    """The oracle with what it gets nearby; or else differences, if f is not what a complex step is for, as abs(x)."""
    for h in (0.125, 1e-4, 2.0**-26):
        differences, again = (_Oracle("differences", *claim.differences(start)) for start in (h, 0.6 * h))
        if _is_near(differences, claim):
            break
    if again.error <= SAFETY * differences.error and _is_near(again, claim):  # two are less likely to agree by chance
        differences = differences._replace(error=max(differences.error, abs(differences.slope - again.slope)))
    if oracle.method == "differences":
        return differences
    # Nearby, the slopes that are claimed go up and down with the true ones; what they do besides is rounding.
    apart = [gaps for other in (claim, *claim.shaken(2.0**-46, stretched=True)) if (gaps := _or_zero(_apart, other))]
    error = max(map(spread, zip(*apart, strict=True)))
    disagree = abs(differences.slope - oracle.slope) > SAFETY * (differences.error + error)
    is_worse = error > max(10.0 * differences.error, ROUNDING * abs(oracle.slope))
    return differences if disagree or is_worse else oracle._replace(error=error)


def _apart(claim: Claim) -> list[float]:
    """How far the slopes that are claimed are from the complex step."""
    slope = claim.complex_step()
    return [(claimed - slope) / claim.stretch for claimed in _slopes_of(claim)]


def _kink(claim: Claim, height: float) -> str:
    """What is not smooth about the function at 0, and large beside its height; the empty string if nothing is."""
    for listening in (False, True):  # a first look, and one that knows the noise of f
        looked_at = replace(claim, listening=listening)
        if listening:
            places = [side * 2.0**-k for side in (-1.0, 1.0) for k in (3, 10, 20, 30, 36, 42)]
            looked_at = replace(looked_at, floor=max([_or_zero(looked_at.noise, t) for t in places]))
        sides = {s: [looked_at.between(*sorted((0.0, s * 2.0**-k))) for k in (30, 36, 42)] for s in (-1.0, 1.0)}
        if not (text := _corner(looked_at, height, sides)):
            return ""
    return text


def _corner(claim: Claim, height: float, sides: dict[float, list[tuple[float, float]]]) -> str:
    rounding = SAFETY * claim.rounding[0] if claim.listening else 0.0
    for (far, _), (near, error), (nearest, most) in sides.values():
        jump = abs(near) * 2.0**-36
        steeper = abs(near) > 6.0 * abs(far) + SAFETY * error and abs(nearest) > 6.0 * abs(near) + SAFETY * most
        if steeper and jump > max(1e-10 * height, rounding) and abs(near) > claim.tolerated(far):
            return "it jumps, or its slope is infinite"  # the nearer, the steeper
    (left, left_error), (right, right_error) = sides[-1.0][0], sides[1.0][0]
    if claim.listening:
        (left, left_error), (right, right_error) = claim.one_sided(-1.0), claim.one_sided(1.0)
    share = 1e-6 if claim.listening else 1e-5
    least = max(share * abs(left), share * abs(right), 1e-6 * height, 1e-290) + SAFETY * (left_error + right_error)
    if not abs(right - left) > least + claim.tolerated(max(abs(left), abs(right))):
        return ""  # it only bends, or there are no values on one side
    return f"its slope is {left / claim.speed:.6g} on the left, {right / claim.speed:.6g} on the right"


# Directions and names -------------------------------------------------------------------------------------------------


def unit(tree: Any, i: int, length: float = 1.0) -> Any:
    """The direction in which leaf number i alone moves."""
    return tree_fill(tree, [length * (i == j) for j in range(len(tree_leaves(tree)))])


def direction(tree: Any, random: Random) -> Any:
    """A random direction, in which each number of the tree moves by something like its own size."""
    return tree_map(lambda x: random.gauss(0.0, 1.0) * length(x), tree)


def length(x: float) -> float:
    """The size of the number; or 1, if it is 0 or so small that a step by a share of it could not be told from none."""
    return abs(x) if abs(x) > 1e-200 else 1.0


def products(xs: Any, ys: Any) -> list[float]:
    """The products of the numbers of two structures, where 0 times infinity is 0: what does not move adds nothing."""
    pairs = zip(map(bottom, tree_leaves(xs)), tree_leaves(ys), strict=True)
    return [x * y if x and y else 0.0 for x, y in pairs]


def paths(name: str, tree: Any) -> list[str]:
    """The name of each number in the tree, as a program writes it: w, or p['w'][1]."""
    if parts := branches(tree):
        return [path for place, item in zip(*parts[:2], strict=True) for path in paths(name + place, item)]
    if getattr(tree, "shape", ()):
        return [f"{name}[{', '.join(map(str, index))}]" for index in product(*map(range, tree.shape))]
    return [name] if hasattr(tree, "operate") or is_real(tree) or is_complex(tree) else []


def branches(tree: Any) -> tuple[list[str], list[Any], Callable[[list[Any]], Any]] | None:
    """Of a container, how one writes the way to each item, the items, and how it is built of others; None of a leaf."""
    kind: Any = type(tree)
    node = NODES.get(kind) or (None if kind is float or hasattr(tree, "shape") else _node_of(kind))
    if not node:
        return None
    items, rest = node[0](tree)
    if isinstance(tree, dict):
        places = [f"[{key!r}]" for key in tree]
    elif fields := getattr(kind, "_fields", None) or getattr(kind, "__dataclass_fields__", None):
        places = [f".{field}" for field in fields]
    else:
        places = [f"[{i}]" for i in range(len(items))]
    return places, [*items], lambda others: node[1](rest, others)
