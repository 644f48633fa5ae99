"""Checks of derivatives: those of the library, and those that you wrote by hand.

What a derivative is compared with must not know the rule that it checks: here it is the complex step, or differences
extrapolated after Ridders, whose own error then says how near is near enough.
"""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any, NamedTuple

from ..functions import real
from ..machinery.digits import dot, times
from ..machinery.trees import tree_fill, tree_leaves, tree_map
from ..tape import operands, tape
from ..transforms import jvp, vjp
from ..value import Value, bottom
from .differences import EPS, Function, complex_step, limit, slope_between


def check_grads(
    f: Function,
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check the derivatives of `f` at `args` in forward and in reverse mode, up to that order, as JAX's namesake does.

    `args` has one item per argument; arguments and result are numbers or structures of them. The slope that each
    mode tells, in a random direction, is compared with one found by running f alone: by the complex step where f
    takes complex numbers and differences confirm it, else by differences as in `ridders`. Tolerated is what that
    slope's own error may be, and `atol` plus `rtol` times the slope besides. Derivatives of order 2 are checked as
    the slopes of those of order 1, and so on.

    AssertionError, with what each method got for a number that is wrong, or that f has a kink or a jump there, or
    that nothing can be told; ValueError if order, modes or args make no sense; and whatever f raises.

    >>> check_grads(lambda p: p["w"] * p["x"] ** 3, ({"w": 3.0, "x": 2.0},))
    >>> check_grads(lambda x: abs(x), (0.0,))
    Traceback (most recent call last):
    ...
    AssertionError: check_grads: f has no derivative with respect to x: its slope is -1 on the left, 1 on the right
      forward mode   0.0
      reverse mode   0.0
    again: check_grads(f, (0.0,), order=1, modes=('fwd', 'rev'), seed=0)
    """
    __tracebackhide__ = True  # pytest then shows the test, not this
    if type(order) is not int or order < 1:
        raise ValueError(f"check_grads: order must be a whole number from 1 up, got {order!r}")
    modes = modes if isinstance(modes, str) else tuple(modes)
    if isinstance(modes, str) or not modes or not all(mode in ("fwd", "rev") for mode in modes):
        raise ValueError(f'check_grads: modes must be some of ("fwd", "rev"), got {modes!r}')
    args, name = _arguments(args, "check_grads"), _text(f)
    try:
        _result(f, args, "check_grads")
    except (AttributeError, TypeError) as error:  # it may take nothing but Values: say who gave it less
        error.add_note(f"check_grads calls {name} with plain floats too, to find its slope without calculus")
        raise

    def check(g: Function, order: int, *chain: str) -> None:
        """Check `g`, which is what the modes of `chain` made of f, and its derivatives."""
        __tracebackhide__ = True
        random = Random(repr((seed, chain)))
        direction, cotangents = _random(args, random), tree_map(lambda y: random.gauss(0.0, 1.0), g(*_copy(args)))
        tangents = direction
        if len(_names(f, args)) == 1:  # of one number the derivatives themselves, which people know
            direction, tangents = _unit(args, 0, _length(tree_leaves(args)[0])), _unit(args, 0)
        if len(tree_leaves(cotangents)) == 1:
            cotangents = _unit(cotangents, 0)

        def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
            found = {}
            if "fwd" in modes:
                found["forward mode"] = _products(jvp(g, args, tangents)[1], cotangents)
            if "rev" in modes:
                found["reverse mode"] = _products(vjp(g, *args)[1](cotangents), tangents)
            return found

        claim = _Claim(g, slopes, args, direction, cotangents, atol or 0.0, rtol or 0.0, True)
        subject = "".join([f"the {mode} derivative of " for mode in reversed(chain)]) + name
        if complaint := _complaint(claim, subject, _names(f, args)):
            options = f"order={len(chain) + 1}, modes={modes!r}{_options(atol, rtol, seed)}"
            again = f"check_grads({name}, {_short(args, 'args')}, {options})"
            raise AssertionError(f"check_grads: {complaint}\nagain: {again}")
        if order > 1 and "fwd" in modes:
            check(lambda *args: jvp(g, args, tangents)[1], order - 1, *chain, "forward-mode")
        if order > 1 and "rev" in modes:
            check(lambda *args: vjp(g, *args)[1](cotangents), order - 1, *chain, "reverse-mode")

    check(f, order)


def check_derivative(
    f: Function,
    df: Function,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check that `df` is the gradient of `f`, whose result is one number: of a derivative that you wrote by hand.

    `df` takes the arguments of f, and returns the gradient in the structure of the argument, or a tuple of such if
    there are more arguments than one. It is compared as in `check_grads`, and f and df may be made of anything, such as
    NumPy. AssertionError as there; ValueError if the gradient is not of the argument's structure, TypeError if f does
    not return one number.

    >>> check_derivative(lambda w: w * w, lambda w: 2.0 * w, (3.0,))
    >>> check_derivative(lambda w: w * w, lambda w: 2.5 * w, (3.0,))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    AssertionError: check_derivative: the derivative of f with respect to w is wrong
      df             7.5, off by ... times the tolerance
      complex step   6.0 ± ...
    again: check_derivative(f, df, (3.0,), seed=0)
    """
    __tracebackhide__ = True
    args = _arguments(args, "check_derivative")
    if _paths("", value := _result(f, args, "check_derivative")) != [""]:
        raise TypeError(f"check_derivative: f must return one number, got {_short(value, type(value).__name__)}")

    def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
        gradient = df(*_copy(args)) if len(args) > 1 else (df(*_copy(args)),)
        gradient = tuple(gradient) if isinstance(gradient, list) else gradient
        if _paths("", gradient) != _paths("", args):
            got = _short(gradient if len(args) > 1 else gradient[0], "another one")
            raise ValueError(f"check_derivative: df must return the structure of the arguments, got {got}")
        gradient = tree_map(lambda _, g: real(g, "check_derivative: a number that df returned"), args, gradient)
        return {"df": _products(gradient, tangents)}

    claim = _Claim(f, slopes, args, _random(args, Random(seed)), 1.0, atol or 0.0, rtol or 0.0, False)
    if complaint := _complaint(claim, _text(f), _names(f, args)):
        again = f"check_derivative({_text(f)}, {_text(df, 'df')}, {_short(args, 'args')}{_options(atol, rtol, seed)})"
        raise AssertionError(f"check_derivative: {complaint}\nagain: {again}")


# How it is judged -----------------------------------------------------------------------------------------------------

SAFETY = 10.0  # by how much the estimate of an error may be too small
ROUNDING = 1e-12  # what adding up the terms of a slope may lose, as a share of these terms
VAGUE = 1e-3  # an oracle that may be off by this share of a slope tells nothing about it
TINY = 1e-100  # what a complex step of 1e-200 cannot see
NEARBY = [k * 2.0**-50 for k in (-5, -3, -1, 2, 4, 6)]  # so near that what differs there is rounding


@dataclass(frozen=True)
class _Claim:
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
    unit: float = 1.0  # the length of the direction, to tell the slopes per unit
    noise: float = 0.0  # what is known of the rounding inside of f

    def moved(self, t: complex) -> Any:
        return tree_map(lambda x, v: x + t * v, self.args, self.tangents)

    def along(self, t: complex) -> Any:
        """The function of one number whose slope at 0 is claimed."""
        return dot(tree_leaves(self.cotangents), [bottom(y) for y in tree_leaves(self.f(*self.moved(t)))])

    def apart(self, t: float) -> list[float]:
        """How far the slopes that are claimed are from the complex step, a little farther along."""
        slope = complex_step(lambda h: self.along(t + h), 0.0)
        return [
            math.fsum(numbers) - slope
            for numbers in self.slopes(self.moved(t), self.tangents, self.cotangents).values()
        ]

    def between(self, a: float, b: float) -> tuple[float, float]:
        return slope_between(self.along, a, b, self.noise, 1.0)

    def differences(self, h: float = 0.125) -> tuple[float, float]:
        """As `ridders`, of the function along the direction."""
        return limit(lambda h: self.between(-h, h), h, 2)

    def one_sided(self, side: float) -> tuple[float, float]:
        return limit(lambda h: self.between(*sorted((0.0, side * h))), 2.0**-10, 1)

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


class _Oracle(NamedTuple):
    """A slope found without calculus, and how far off it may be."""

    method: str
    slope: float
    error: float


class _Fault(NamedTuple):
    text: str
    rows: list[str]


def _complaint(claim: _Claim, subject: str, names: list[str]) -> str:
    """What is wrong with the claim, for an argument and a result that are to blame; the empty string if nothing is."""
    found = next(((part, fault) for part in _parts(claim) if (fault := _fault(part))), None)
    if found is None:
        return ""
    (claim, fault), where = found, "in a random direction"
    if (i := _blamed(claim, "tangents")) is not None:
        length = _length(tree_leaves(claim.args)[i])
        claim = replace(claim, tangents=_unit(claim.args, i, length), unit=length)
        fault, where = _fault(claim) or fault, f"with respect to {names[i]}"
    results = _paths("result", claim.cotangents)
    if (i := _blamed(claim, "cotangents")) is not None:
        fault = _fault(replace(claim, cotangents=_unit(claim.cotangents, i))) or fault
        subject = f"{results[i]} of {subject}" if len(results) > 1 else subject
    return "\n".join([fault.text.format(subject=subject, where=where), *fault.rows])


def _parts(claim: _Claim) -> Iterator[_Claim]:
    """The claim; and the same for those numbers alone that are too small beside the others to be seen in it."""
    yield claim
    for mode, products in claim.slopes(claim.args, claim.tangents, claim.cotangents).items():
        field = "cotangents" if mode == "forward mode" else "tangents"  # what the products are of
        directions = tree_leaves(getattr(claim, field))
        large = 1e-6 * max([abs(number) for number in products if number == number], default=0.0)
        small = [v if abs(number) < large else 0.0 for v, number in zip(directions, products, strict=True)]
        if any(small):
            yield from _parts(replace(claim, **{field: tree_fill(getattr(claim, field), small)}))


def _blamed(claim: _Claim, field: str) -> int | None:
    """The number of a leaf of the tangents or cotangents that alone has a fault, found by halving; None if none has."""
    leaves = tree_leaves(getattr(claim, field))
    part = [i for i, v in enumerate(leaves) if v]
    while len(part) > 1:
        for half in (part[: len(part) // 2], part[len(part) // 2 :]):
            moving = tree_fill(getattr(claim, field), [v if i in half else 0.0 for i, v in enumerate(leaves)])
            if _fault(replace(claim, **{field: moving})):
                part = half
                break
        else:
            return None
    return part[0]


class _Judgement(NamedTuple):
    """The claimed slopes beside that of an oracle."""

    tolerance: float
    factors: list[float]  # the error of each slope, in units of what is tolerated
    apart: float  # by how much they differ among themselves, in units of what rounding explains
    vague: bool  # whether the oracle itself may be off by too much

    @property
    def is_fine(self) -> bool:
        return max(self.factors) <= 1.0 and self.apart <= 1.0 and not self.vague


def _judge(claim: _Claim, claimed: list[float], oracle: _Oracle, rounding: float, scale: float) -> _Judgement:
    rounding += TINY + (claim.atol + claim.rtol * abs(oracle.slope)) * claim.unit
    tolerance = SAFETY * oracle.error + rounding
    factors = [_ratio(abs(slope - oracle.slope), tolerance) for slope in claimed]
    apart = _ratio(max(claimed) - min(claimed), SAFETY * rounding)
    return _Judgement(tolerance, factors, apart, not SAFETY * oracle.error <= VAGUE * scale)


def _fault(claim: _Claim) -> _Fault | None:
    """What is wrong with the claim, or None: a first look that costs little, and if that finds fault, a closer one."""
    products = claim.slopes(claim.args, claim.tangents, claim.cotangents)
    claimed = [math.fsum(numbers) for numbers in products.values()]
    rows = [f"  {mode:14} {slope / claim.unit!r}" for mode, slope in zip(products, claimed, strict=True)]
    value = abs(claim.along(0.0))
    bump = max([slope for h in (-0.125, 0.125) if (slope := abs(claim.between(0.0, h)[0])) < math.inf], default=0.0)
    if kink := _kink(claim, max(value, bump)):
        return _Fault("{subject} has no derivative {where}: " + kink, rows)
    sizes = [math.fsum(map(abs, numbers)) for numbers in products.values()]
    size = max([size for size in sizes if size < math.inf], default=0.0)
    scale = max(size, 1e-6 * value, 1e-3 * bump, TINY)  # how large a slope would be no surprise

    oracle = _complex_step(claim) or _Oracle("differences", *claim.differences())
    judgement = _judge(claim, claimed, oracle, ROUNDING * size, scale)
    if judgement.is_fine and not _is_lost(oracle, claim):
        return None
    in_value, in_slope = claim.rounding()
    if not claim.traceable:  # a guess, as one cannot look inside
        in_slope = EPS * max(bump, 1e-4 * value)
    claim = replace(claim, noise=in_value)
    oracle = _surer(claim, oracle)
    scale = max(scale, abs(oracle.slope), in_slope / EPS, 1e-6 * in_value / EPS)
    rounding = ROUNDING * size + SAFETY * in_slope + 1e-40 * bump  # of which the last is left of h² where h is 1e-200
    judgement = _judge(claim, claimed, oracle, rounding, scale)
    if judgement.is_fine:
        return None

    if not math.isfinite(oracle.slope):
        return _Fault("{subject} cannot be checked {where}: it has no values on both sides", rows)
    seen = f"  {oracle.method:14} {oracle.slope / claim.unit!r} ± {judgement.tolerance / claim.unit:.0e}"
    if judgement.vague:
        return _Fault("{subject} is too rough or too steep to be checked {where}", [*rows, seen])
    if max(judgement.factors) <= 1.0:
        text = f"the modes differ on {{subject}} {{where}} by {judgement.apart:.0e} times the tolerance"
        return _Fault(text, rows)
    off = [f", off by {factor:.0e} times the tolerance" if factor > 1.0 else "" for factor in judgement.factors]
    return _Fault(
        "the derivative of {subject} {where} is wrong",
        [*[row + note for row, note in zip(rows, off, strict=True)], seen],
    )


def _ratio(error: float, tolerance: float) -> float:
    """How many times the error is the tolerance; infinite, if there is no telling."""
    return error / tolerance if error < math.inf and tolerance < math.inf else math.inf


def _complex_step(claim: _Claim) -> _Oracle | None:
    try:
        slope = complex_step(claim.along, 0.0)
    except Exception:  # whatever f does to a complex number: floats, at which it runs, will do
        return None
    return _Oracle("complex step", slope, 0.0) if math.isfinite(slope) else None


def _is_near(oracle: _Oracle, claim: _Claim) -> bool:
    """Whether the slope is roughly that of a small bump, and not one that large steps find who jump over a peak."""
    bump, rounding = claim.between(-(2.0**-26), 2.0**-26)
    return not abs(oracle.slope - bump) > 1e-3 * max(abs(bump), abs(oracle.slope)) + SAFETY * (oracle.error + rounding)


def _is_lost(oracle: _Oracle, claim: _Claim) -> bool:
    """Whether a complex step that is taken for exact is not confirmed by differences, as where abs loses x + ih."""
    slope, error = claim.differences() if oracle.method == "complex step" else oracle[1:]
    return abs(oracle.slope - slope) > SAFETY * error or not _is_near(oracle, claim)


def _surer(claim: _Claim, oracle: _Oracle) -> _Oracle:
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
    apart = [claim.apart(t) for t in (0.0, *NEARBY)]
    error = max([abs(there - here) for gaps in apart[1:] for here, there in zip(apart[0], gaps, strict=True)])
    disagree = abs(differences.slope - oracle.slope) > SAFETY * (differences.error + error)
    return differences if disagree or 10.0 * differences.error < error else oracle._replace(error=error)


def _kink(claim: _Claim, height: float) -> str:
    """What is not smooth about the function at 0, and large beside its height; the empty string if nothing is."""
    sides = {side: [claim.between(*sorted((0.0, side * 2.0**-k))) for k in (30, 38, 46)] for side in (-1.0, 1.0)}
    for (far, _), (near, rounding), (nearest, most) in sides.values():
        jump = abs(near) * 2.0**-38
        steeper = abs(near) > 6.0 * abs(far) + SAFETY * rounding and abs(nearest) > 6.0 * abs(near) + SAFETY * most
        if steeper and jump > 1e-10 * height and jump > SAFETY * claim.rounding()[0]:  # the nearer, the steeper
            return "it jumps, or its slope is infinite"
    (left, left_error), (right, right_error) = sides[-1.0][0], sides[1.0][0]
    for share in (1e-5, 1e-6):  # a first look, and a closer one
        if share == 1e-6:
            claim = replace(claim, noise=claim.rounding()[0])
            (left, left_error), (right, right_error) = claim.one_sided(-1.0), claim.one_sided(1.0)
        least = max(share * abs(left), share * abs(right), 1e-6 * height, 1e-290) + SAFETY * (left_error + right_error)
        if not abs(right - left) > least:  # it only bends, or there are no values on one side
            return ""
    return f"its slope is {left / claim.unit:.6g} on the left, {right / claim.unit:.6g} on the right"


# Names and numbers ----------------------------------------------------------------------------------------------------


def _arguments(args: Any, caller: str) -> tuple[Any, ...]:
    if not isinstance(args, list | tuple):
        raise ValueError(f"{caller}: args has one item per argument, as in (2.0,), got {args!r}")
    args = tree_map(lambda x: real(x, f"{caller}: a number in args"), tuple(args))
    if not all(map(math.isfinite, numbers := tree_leaves(args))) or not numbers:
        raise ValueError(f"{caller}: args must hold one finite number at least, and no other, got {args!r}")
    return tuple(args)


def _options(atol: float | None, rtol: float | None, seed: int) -> str:
    options = [*[(name, size) for name, size in (("atol", atol), ("rtol", rtol)) if size], ("seed", seed)]
    return "".join([f", {name}={number!r}" for name, number in options])


def _copy(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments anew, as the function may change what it is given."""
    return tuple(tree_map(lambda x: x, args))


def _result(f: Function, args: tuple[Any, ...], caller: str) -> Any:
    """What f returns, once it is clear that this can be checked."""
    result, again = f(*_copy(args)), f(*_copy(args))
    numbers = [repr(bottom(x)) for x in tree_leaves(result)]
    if not numbers:
        raise ValueError(f"{caller}: there is no number in what f returned, {result!r}")
    if numbers != [repr(bottom(x)) for x in tree_leaves(again)]:
        raise ValueError(
            f"{caller}: f returned {_short(result, 'one thing')} and then, for the same arguments, another"
        )
    if single := [x.dtype for x in _arrays(result) if x.dtype.kind == "f" and x.dtype.itemsize < 8]:
        raise TypeError(f"{caller}: f computes with {single[0]}; a slope can be told with float64 only")
    return result


def _arrays(tree: Any) -> list[Any]:
    """The arrays, and NumPy's own numbers, in the tree."""
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [tree] if hasattr(tree, "dtype") else [array for item in items for array in _arrays(item)]


def _text(f: Function, otherwise: str = "f") -> str:
    """How to write the function: what it is printed as, if that is a program, or its name, if it has one."""
    if repr(f).startswith("lambda "):
        return repr(f)
    name = getattr(f, "__name__", "")
    return name if name.isidentifier() else otherwise


def _short(tree: Any, otherwise: str) -> str:
    """How to write the numbers, with all their digits; or the other text, if that is long."""
    text = _code(tree)
    return text if len(text) <= 300 else otherwise


def _code(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"{{{', '.join([f'{key!r}: {_code(item)}' for key, item in tree.items()])}}}"
    if isinstance(tree, list | tuple):
        text = ", ".join(map(_code, tree))
        return f"[{text}]" if isinstance(tree, list) else f"({text}{',' * (len(tree) == 1)})"
    return f"np.array({tree.tolist()!r})" if getattr(tree, "shape", ()) else repr(tree)


def _names(f: Function, args: tuple[Any, ...]) -> list[str]:
    """Of each number in the arguments, the name by which the function knows it: w, or p['w'][1]."""
    try:
        parameters = [p.name for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):  # some functions written in C do not tell
        parameters = []
    roots = parameters if len(parameters) >= len(args) else [f"args[{i}]" for i in range(len(args))]
    return [name for root, tree in zip(roots, args, strict=False) for name in _paths(root, tree)]


def _paths(name: str, tree: Any) -> list[str]:
    if isinstance(tree, dict):
        items = [(repr(key), item) for key, item in tree.items()]
    elif isinstance(tree, list | tuple):
        items = [(str(i), item) for i, item in enumerate(tree)]
    elif getattr(tree, "shape", ()):
        return [f"{name}[{', '.join(map(str, index))}]" for index in product(*map(range, tree.shape))]
    else:
        return [name]
    return [path for key, item in items for path in _paths(f"{name}[{key}]", item)]


def _unit(tree: Any, i: int, length: float = 1.0) -> Any:
    """The direction in which leaf number i alone moves."""
    return tree_fill(tree, [length * (i == j) for j in range(len(tree_leaves(tree)))])


def _random(tree: Any, random: Random) -> Any:
    """A random direction, in which each number of the tree moves by something like its own size."""
    return tree_map(lambda x: random.gauss(0.0, 1.0) * _length(x), tree)


def _length(x: float) -> float:
    """The size of the number; or 1, if it is 0 or so small that a step by a share of it could not be told from none."""
    return abs(x) if abs(x) > 1e-200 else 1.0


def _products(xs: Any, ys: Any) -> list[float]:
    return tree_leaves([tree_map(lambda x, y: times(bottom(x), y), xs, ys)])
