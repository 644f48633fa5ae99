"""Checks of derivatives: those of the library, and those that you wrote by hand.

What a derivative is compared with must not know the rule that it checks: here it is the complex step, or differences
extrapolated after Ridders, whose own error then says how near is near enough; judging.py has both.
"""

from __future__ import annotations

import inspect
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from ..functions import real
from ..machinery.trees import tree_fill, tree_leaves, tree_map
from ..transforms import jvp, vjp
from ..value import bottom
from .diagnosis import MOST, diagnosis
from .differences import EPS, Function
from .judging import (
    Claim,
    blamed,
    branches,
    by_complex_step,
    digits,
    direction,
    fault_of,
    length,
    parts,
    paths,
    products,
    spread,
    unit,
)


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

    `args` has one item per argument; arguments and result are numbers or structures of them, such as lists, dicts and
    arrays; arrays of integers are handed to f as they are. The slope that each mode tells, in a random direction, is
    compared with one found by running f alone: by the complex step where f takes complex numbers and differences
    confirm it, else by differences as in `ridders`. Tolerated is what that slope's own error may be, and besides, of
    each derivative, `atol` plus `rtol` times its size. Derivatives of order 2 are checked as the slopes of those of
    order 1, and so on.

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
    name, given = _text(f), args
    f, args, names, _ = _prepared(f, args, "check_grads")
    try:
        _result(f, args, "check_grads")
    except (AttributeError, TypeError) as error:  # it may take nothing but Values: say who gave it less
        error.add_note(f"check_grads calls {name} with plain floats too, to find its slope without calculus")
        raise

    def check(g: Function, order: int, *chain: str) -> None:
        """Check `g`, which is what the modes of `chain` made of f, and its derivatives."""
        __tracebackhide__ = True
        random = Random(repr((seed, chain)))
        moving, cotangents = direction(args, random), tree_map(lambda y: random.gauss(0.0, 1.0), g(*_copy(args)))
        tangents = moving
        if len(names) == 1:  # of one number the derivatives themselves, which people know
            moving, tangents = unit(args, 0, length(tree_leaves(args)[0])), unit(args, 0)
        if len(tree_leaves(cotangents)) == 1:
            cotangents = unit(cotangents, 0)

        def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
            found = {}
            if "fwd" in modes:
                found["forward mode"] = products(jvp(g, args, tangents)[1], cotangents)
            if "rev" in modes:
                found["reverse mode"] = products(vjp(g, *args)[1](cotangents), tangents)
            return found

        claim = Claim(g, slopes, args, moving, cotangents, atol or 0.0, rtol or 0.0, True)
        subject = "".join([f"the {mode} derivative of " for mode in reversed(chain)]) + name
        options = f"order={len(chain) + 1}, modes={modes!r}{_options(atol, rtol, seed)}"
        _judge("check_grads", claim, subject, names, f"check_grads({name}, {_short(given, 'args')}, {options})")
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
    """Check that `df` is the gradient of `f`, or the Jacobian if f returns more numbers than one: of what you wrote.

    `df` takes the arguments of f, and returns the gradient in the structure of the argument, or a tuple of such if
    there are more arguments than one. A Jacobian has a gradient in the place of each number of f's result, or is one
    array, of the axes of the result and then those of the argument. It is compared as in `check_grads`, and f and df
    may be made of anything, such as NumPy. AssertionError as there, with the kind of the mistake if the numbers show
    it; ValueError if the gradient is not of the argument's structure.

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
    name, given, claimed = _text(f), args, _text(df, "df")
    f, args, names, gradients = _prepared(f, args, "check_derivative")
    value = _result(f, args, "check_derivative")
    count = len(tree_leaves(value))
    single = paths("", value) == [""]

    def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
        weights, rows = tree_leaves(cotangents), []
        wanted = args if single else tuple([tree_fill(value, [x] * count) for x in args])
        jacobian = gradients(df, (), args, wanted, "check_derivative", "df")
        for x, part in zip(args, jacobian, strict=True):
            flat, n = tree_leaves(part), len(tree_leaves(x))
            rows += [math.fsum([c * flat[j * n + i] for j, c in enumerate(weights) if c]) for i in range(n)]
        return {"df": products(tree_fill(args, rows), tangents)}

    claim = _claim_of(f, slopes, args, value, atol, rtol, seed)
    again = f"check_derivative({name}, {claimed}, {_short(given, 'args')}{_options(atol, rtol, seed)})"
    _judge("check_derivative", claim, name, names, again)


def check_vjp(
    f: Function,
    f_vjp: Function,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check that `f_vjp` pulls cotangents back through `f`, as JAX's namesake does.

    `f_vjp(*args)` returns f's value and a function, which takes cotangents in the structure of that value and returns
    a tuple with a gradient for each argument: `functools.partial(vjp, f)` is one. It raises what `check_derivative`
    raises, and an AssertionError if the value is not that of f.

    >>> check_vjp(lambda x, y: x * y, lambda x, y: (x * y, lambda g: (g * y, g * x)), (2.0, 5.0))
    """
    __tracebackhide__ = True
    name, given, claimed = _text(f), args, _text(f_vjp, "f_vjp")
    f, args, names, gradients = _prepared(f, args, "check_vjp")
    value = _result(f, args, "check_vjp")
    again = f"check_vjp({name}, {claimed}, {_short(given, 'args')}{_options(atol, rtol, seed)})"
    first, pullback = _pair(gradients.called(f_vjp, args), "check_vjp: f_vjp", "a function of cotangents")
    _agree("check_vjp", "f_vjp", first, value, again)
    _text(pullback, "the function that f_vjp returned")

    def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
        pullback = gradients.called(f_vjp, args)[1]
        return {"f_vjp": products(gradients(pullback, (cotangents,), None, args, "check_vjp", "f_vjp"), tangents)}

    _judge("check_vjp", _claim_of(f, slopes, args, value, atol, rtol, seed), name, names, again)


def check_jvp(
    f: Function,
    f_jvp: Function,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check that `f_jvp` pushes tangents forward through `f`, as JAX's namesake does.

    `f_jvp(primals, tangents)` takes two tuples with an item for each argument, and returns f's value and its derivative
    in that direction: `functools.partial(jvp, f)` is one. It raises what `check_vjp` raises.

    >>> check_jvp(lambda x: x * x, lambda primals, tangents: (primals[0] ** 2, 2.0 * primals[0] * tangents[0]), (3.0,))
    """
    __tracebackhide__ = True
    name, given, claimed = _text(f), args, _text(f_jvp, "f_jvp")
    f, args, names, gradients = _prepared(f, args, "check_jvp")
    value = _result(f, args, "check_jvp")
    again = f"check_jvp({name}, {claimed}, {_short(given, 'args')}{_options(atol, rtol, seed)})"
    first, _ = _pair(f_jvp(gradients.thawed(args), gradients.thawed(args)), "check_jvp: f_jvp", "its derivative")
    _agree("check_jvp", "f_jvp", first, value, again)

    def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
        pushed = f_jvp(gradients.thawed(args), gradients.thawed(tangents))[1]
        _alike(pushed, value, "check_jvp: the tangent that f_jvp returned", "f")
        return {"f_jvp": products(pushed, cotangents)}

    _judge("check_jvp", _claim_of(f, slopes, args, value, atol, rtol, seed), name, names, again)


def check_backward(
    f: Function,
    backward: Function,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check the backward pass of a layer: that `backward(dout, *args)` pulls the gradient `dout` back through `f`.

    `dout` comes in the structure of f's result; backward returns one gradient, or a tuple in the order of the
    arguments, for those that are no arrays of integers. It raises what `check_derivative` raises.

    >>> import numpy as np
    >>> def relu(x):
    ...     return np.maximum(x, 0.0)
    >>> check_backward(relu, lambda dout, x: dout * (x > 0.0), (np.array([-1.0, 2.0]),))
    """
    __tracebackhide__ = True
    name, given, claimed = _text(f), args, _text(backward, "backward")
    f, args, names, gradients = _prepared(f, args, "check_backward")
    value = _result(f, args, "check_backward")

    def slopes(args: Any, tangents: Any, cotangents: Any) -> dict[str, list[float]]:
        found = gradients(backward, (cotangents,), args, args, "check_backward", "backward")
        return {"backward": products(found, tangents)}

    again = f"check_backward({name}, {claimed}, {_short(given, 'args')}{_options(atol, rtol, seed)})"
    _judge("check_backward", _claim_of(f, slopes, args, value, atol, rtol, seed), name, names, again)


# The claim, and the complaint -----------------------------------------------------------------------------------------


def _claim_of(
    f: Function, slopes: Function, args: Any, value: Any, atol: float | None, rtol: float | None, seed: int
) -> Claim:
    random = Random(seed)
    moving = direction(args, random)
    cotangents = tree_map(lambda y: random.gauss(0.0, 1.0), value)
    if len(tree_leaves(cotangents)) == 1:
        cotangents = unit(cotangents, 0)
    return Claim(f, slopes, args, moving, cotangents, atol or 0.0, rtol or 0.0, False)


def _judge(caller: str, claim: Claim, subject: str, names: list[str], again: str) -> None:
    """AssertionError if something is wrong with the claim, for an argument and a result that are to blame."""
    __tracebackhide__ = True
    if _is_single(claim):
        raise TypeError(
            f"{caller}: f computes with float32, as its results show; a slope can be told with float64 only"
        )
    found = next(((part, fault) for part in parts(claim) if (fault := fault_of(part))), None)
    if found is None:
        return
    if _jumps_between_singles(claim):
        raise TypeError(f"{caller}: f computes with float32 inside; a slope can be told with float64 only")
    (part, fault), where, culprit = found, "in a random direction", 0

    def alone(i: int) -> Claim:
        return replace(part, tangents=unit(part.args, i, length(tree_leaves(part.args)[i])))

    tolerant = fault.method and (claim.atol or claim.rtol)  # what is off together may be fine for each number
    i = blamed(part, "tangents", fault)
    if i is None and tolerant and len(names) <= MOST:
        i = next((i for i in range(len(names)) if fault_of(alone(i))), None)
    if i is not None and (closer := fault_of(alone(i))):
        part, fault, where, culprit = alone(i), closer, f"with respect to {names[i]}", i
    results = paths("result", part.cotangents)
    j = blamed(part, "cotangents", fault)
    if tolerant and (i is None or j is None):
        return
    if j is not None:
        fault = fault_of(replace(part, cotangents=unit(part.cotangents, j))) or fault
        subject = f"{results[j]} of {subject}" if len(results) > 1 else subject
    how = diagnosis(claim, names, fault.method, culprit) if fault.method else ""
    lines = [fault.text.format(subject=subject, where=where), *fault.rows, *([f"  {how}"] if how else [])]
    raise AssertionError("\n".join([f"{caller}: {lines[0]}", *lines[1:], f"again: {again}"]))


def _agree(caller: str, name: str, found: Any, value: Any, again: str) -> None:
    """AssertionError if the value that came with a derivative is not that of the function."""
    __tracebackhide__ = True
    _alike(found, value, f"{caller}: the value that {name} returned", "f")
    pairs = [*zip(tree_leaves(found), tree_leaves(value), paths("result", value), strict=True)]
    for x, y, place in pairs:
        x, y = bottom(x), bottom(y)
        if not abs(x - y) <= 1e-9 * abs(y) + 1e-12 * max([abs(bottom(other)) for _, other, _ in pairs]):
            raise AssertionError(f"{caller}: {name} returned {x!r} for {place}, f returned {y!r}\nagain: {again}")


def _pair(found: Any, name: str, second: str) -> tuple[Any, Any]:
    """What was returned, if it is two things: f's value, and `second`."""
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise TypeError(f"{name} must return the value of f and {second}, got {described(found)}")
    return found[0], found[1]


# Arguments and results ------------------------------------------------------------------------------------------------


class _Gradients:
    """Runs what returns gradients, and brings them into the structure of the arguments without integers."""

    def __init__(self, given: tuple[Any, ...], names: list[str]) -> None:
        self.given, self.names = given, names  # the arguments, and what the function calls them

    def thawed(self, moving: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments anew, as the function may change what it is given, with the integers in their places."""
        return tuple([_thawed(x, original) for x, original in zip(_copy(moving), self.given, strict=True)])

    def called(self, function: Function, moving: tuple[Any, ...]) -> Any:
        return function(*self.thawed(moving))

    def __call__(self, function: Function, first: Any, args: Any, wanted: Any, caller: str, name: str) -> Any:
        found = function(*_copy(first), *(self.thawed(args) if args is not None else ()))
        floats = [not _is_frozen(x) for x in self.given]
        if args is None or len(self.given) > 1:
            if not isinstance(found, list | tuple) and sum(floats) == 1:
                found = (found,)
            if not isinstance(found, list | tuple) or len(found) not in (len(floats), sum(floats)):
                each = f"a tuple of {len(floats)} gradients, for {', '.join(self.names)}"
                raise ValueError(f"{caller}: {name} must return {each}, got {described(found)}")
        elif isinstance(found, tuple) and len(found) == 1 and not isinstance(wanted[0], tuple) and first:
            pass  # a backward pass may return its only gradient in a tuple
        else:
            found = (found,)
        every = iter(found)
        if len(found) < len(floats):
            found = [next(every) if is_float else [] for is_float in floats]
        result = []
        for gradient, original, structure, argument in zip(found, self.given, wanted, self.names, strict=True):
            gradient = [] if _is_frozen(original) else _frozen_like(gradient, original)
            whose = argument if wanted is args or args is None else f"{argument} for each number of f's result"
            _alike(gradient, structure, f"{caller}: what {name} returned for {argument}", whose)
            what = f"{caller}: a number that {name} returned"
            result.append(tree_map(lambda g, what=what: real(g, what), gradient, what=what))
        return tuple(result)


def _prepared(f: Function, args: Any, caller: str) -> tuple[Function, tuple[Any, ...], list[str], _Gradients]:
    """`f` as a function of the numbers that can move, these, their names, and how to treat gradients for them."""
    if not isinstance(args, list | tuple):
        raise ValueError(f"{caller}: args has one item per argument, as in (2.0,), got {args!r}")
    given = tuple(args)
    moving = tree_map(lambda x: real(x, f"{caller}: a number in args"), tuple(map(_frozen, args)))
    if not all(map(math.isfinite, numbers := tree_leaves(moving))) or not numbers:
        hint = "; arrays of integers are indices, which do not move: make them floats" if _holds_integers(given) else ""
        raise ValueError(f"{caller}: args must hold one finite number at least, and no other, got {args!r}{hint}")
    roots = _roots(f, len(given))
    names = [name for root, tree in zip(roots, moving, strict=True) for name in paths(root, tree)]
    gradients = _Gradients(given, roots)
    if any(map(_holds_integers, given)):
        return lambda *args: gradients.called(f, args), moving, names, gradients
    return f, moving, names, gradients


def _is_frozen(x: Any) -> bool:
    """Whether it is an array of integers or of truth values: an index, a label, a mask, along which nothing moves."""
    return bool(getattr(x, "shape", ())) and getattr(getattr(x, "dtype", None), "kind", "f") in "iub"


def _holds_integers(tree: Any) -> bool:
    return _is_frozen(tree) or any(map(_holds_integers, _items(tree)))


def _items(tree: Any) -> list[Any]:
    """What a container holds; nothing, if it is none."""
    parts = branches(tree)
    return parts[1] if parts else []


def _frozen(tree: Any) -> Any:
    """The tree with an empty list, which has no numbers, in the place of each array of integers."""
    return _frozen_like(tree, tree)


def _frozen_like(tree: Any, original: Any) -> Any:
    if not _holds_integers(original):
        return tree
    if isinstance(original, dict) and isinstance(tree, dict):
        return {key: _frozen_like(tree.get(key, []), item) for key, item in original.items()}
    if (parts := branches(tree)) and len(parts[1]) == len(_items(original)):
        return parts[2]([_frozen_like(x, item) for x, item in zip(parts[1], _items(original), strict=True)])
    return [] if _is_frozen(original) else tree


def _thawed(moving: Any, original: Any) -> Any:
    if not _holds_integers(original):
        return moving
    if _is_frozen(original):
        return original
    _, items, built = branches(moving) or ([], [], None)
    return built([_thawed(x, item) for x, item in zip(items, _items(original), strict=True)]) if built else moving


def _alike(found: Any, wanted: Any, what: str, whose: str) -> None:
    """ValueError, which names both, if they differ in structure."""
    if paths("", found) != paths("", wanted):
        turned = getattr(found, "shape", ()) == getattr(wanted, "shape", ())[::-1] != ()
        hint = "; is it transposed?" if turned else ""
        raise ValueError(
            f"{what} must have the structure of {whose}, {described(wanted)}, not {described(found)}{hint}"
        )


def described(tree: Any) -> str:
    """What kind of structure it is, and how long: in short, its numbers."""
    if getattr(tree, "shape", ()):
        return f"an array of shape {tree.shape}"
    if (text := _code(tree)) and len(text) <= 100:
        return text
    return f"a {type(tree).__name__} of {len(tree)} items" if isinstance(tree, dict | list | tuple) else text[:100]


def _options(atol: float | None, rtol: float | None, seed: int) -> str:
    options = [*[(name, size) for name, size in (("atol", atol), ("rtol", rtol)) if size], ("seed", seed)]
    return "".join([f", {name}={number!r}" for name, number in options])


def _copy(args: Any) -> tuple[Any, ...]:
    """The arguments anew, as the function may change what it is given."""
    return tuple(tree_map(lambda x: x, args))


def _result(f: Function, args: tuple[Any, ...], caller: str) -> Any:
    """What f returns, once it is clear that this can be checked."""
    try:
        result, again = f(*_copy(args)), f(*_copy(args))
    except (TypeError, LookupError) as error:
        if "integer" in str(error):
            error.add_note(f"{caller} moves each number in args, as a float; indices go into an array of integers")
        raise
    what = f"{caller}: a number that f returned"
    tree_map(lambda y: real(bottom(y), what), result, what=what)
    numbers = [repr(bottom(x)) for x in tree_leaves(result)]
    if not numbers:
        raise ValueError(f"{caller}: there is no number in what f returned, {result!r}")
    if "nan" in numbers:
        raise ValueError(f"{caller}: f returned nan, which has no slope, at {_short(args, 'args')}")
    if numbers != [repr(bottom(x)) for x in tree_leaves(again)]:
        raise ValueError(
            f"{caller}: f returned {_short(result, 'one thing')} and then, for the same arguments, another"
        )
    if single := [x.dtype for x in _arrays(result) if x.dtype.kind == "f" and x.dtype.itemsize < 8]:
        raise TypeError(f"{caller}: f computes with {single[0]}; a slope can be told with float64 only")
    return result


def _is_single(claim: Claim) -> bool:
    """Whether the numbers that f returns, here and nearby, have 24 binary digits of 53: seldom less, and never more."""
    random = Random(0)
    found: set[float] = set()
    args = claim.args
    for _ in range(33):
        try:
            numbers = {float(bottom(y)) for y in tree_leaves(claim.f(*_copy(args)))}
        except Exception:  # so far away f need not have a value
            numbers = set()
        if any(digits(y) > 24 for y in numbers):
            return False
        found |= numbers
        args = tree_map(lambda x: x * 2.0 ** random.uniform(-2.0, 2.0) + 1e-9, claim.args)
    # What hands on the tiny step in a complex number has more digits inside: it has 24 by cancelling.
    return sum([digits(y) == 24 for y in found]) > 3 and not ((step := by_complex_step(claim)) and step.slope)


def _jumps_between_singles(claim: Claim) -> bool:
    """Whether f jumps just where float32 rounds to its next number, and not beside that, here and nearby."""
    random = Random(0)

    def leap(args: Any, share: float, steps: Iterable[int]) -> float:
        """How much f moves over these doubles, counted from this share of the way between two numbers of float32."""

        def beside(x: float, step: int) -> float:
            (single,) = struct.unpack("f", struct.pack("f", x))
            return float((single + share * 2.0 ** (math.frexp(single)[1] - 24)) * (1.0 + step * EPS))

        places = [tree_map(lambda x, step=step: beside(x, step), args) for step in steps]
        return spread([replace(claim, args=place).along(0.0) for place in places])

    try:
        near = [tree_map(lambda x: x * (1.0 + random.uniform(-0.01, 0.01)) + 1e-9, claim.args) for _ in range(8)]
        # Rounding may have a period in doubles, as of 0.1 * x it has: hence steps and places drawn by chance.
        steps = [random.sample(range(-20, 21), 7) for _ in range(32)]
        calm: float = max(map(leap, near * 4, [random.uniform(0.1, 0.4) for _ in steps], steps))
        calm += EPS * abs(claim.along(0.0))
        return sum([leap(place, 0.5, (-1, 1)) > 1e4 * calm for place in near]) > 3
    except (ArithmeticError, LookupError, TypeError, ValueError, struct.error):  # f has no value there
        return False


def _arrays(tree: Any) -> list[Any]:
    """The arrays, and NumPy's own numbers, in the tree."""
    return [tree] if hasattr(tree, "dtype") else [array for item in _items(tree) for array in _arrays(item)]


def _text(f: Function, otherwise: str = "f") -> str:
    """How to write the function: what it is printed as, if that is a program, or its name, if it has one."""
    if not callable(f):
        raise TypeError(f"{otherwise}: expected a function, got {described(f)}")
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
    if fields := getattr(tree, "_fields", None) or getattr(tree, "__dataclass_fields__", None):
        given = [f"{field}={_code(getattr(tree, field))}" for field in fields]
        return f"{type(tree).__name__}({', '.join(given)})"
    if isinstance(tree, list | tuple):
        text = ", ".join(map(_code, tree))
        return f"[{text}]" if isinstance(tree, list) else f"({text}{',' * (len(tree) == 1)})"
    if getattr(tree, "shape", ()):
        return f"np.array({tree.tolist()!r})"
    return repr(tree.item() if hasattr(tree, "item") else tree)


def _roots(f: Function, count: int) -> list[str]:
    """The names by which the function knows its arguments."""
    try:
        parameters = [p.name for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):  # some functions written in C do not tell
        parameters = []
    return parameters[:count] if len(parameters) >= count else [f"args[{i}]" for i in range(count)]
