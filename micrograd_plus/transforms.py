"""Functions of functions: from f to its derivative, gradient, Jacobian, Hessian. Names and meanings are JAX's.

Each call of a transform takes a fresh level, wraps the inputs of f as Values of that level, runs f, and reads off the
derivatives. To it, a Value of an outer level is a constant, and a Value that an inner transform left behind stands for
its number. That is all it takes for transforms to nest without confusing their perturbations (Siskind and Pearlmutter,
"Perturbation confusion and referential transparency", 2005).

Arguments and results are numbers, or lists, tuples and dicts of them, nested as you like, and NumPy arrays.
"""

from __future__ import annotations

from _thread import allocate_lock
from itertools import count
from math import inf

from .functions import number
from .machinery.digits import NOTHING
from .machinery.trees import leaves_like, tree_fill, tree_flatten, tree_leaves, tree_unflatten
from .value import Dual, is_at, sweep, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .functions import Function

_levels = count(1)


def derivative(f: Function, n: int = 1) -> Function:
    """The n-th derivative of `f`, a function from one number to one number: in forward mode, nested; from n = 3 on by
    a power series, which has all orders at once (`derivatives`).

    The result takes a number and returns a number. ValueError if n is not a whole number from 0 to 170; the result
    raises a TypeError if f does not return one number.

    >>> derivative(lambda x: x**3)(2.0), derivative(lambda x: x**3, n=3)(2.0)
    (12.0, 6.0)
    """
    if type(n) is not int or n < 0:
        raise ValueError(f"derivative: n must be a whole number from 0 up, got {n!r}")
    if n == 0:
        return f
    if n > 2:
        from .series import derivatives

        return _named(f, lambda x: derivatives(f, n)(x)[n])

    def slope(x: Any) -> Any:
        value, tangent = jvp(f, (number(x, "derivative: the argument"),), (1.0,))
        number(value, f"derivative: the result of {_name(f)}")
        return tangent

    return derivative(_named(f, slope), n - 1)


def grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """The gradient of `f`, whose result is one number, in reverse mode.

    The result takes the arguments of f and returns the derivatives with respect to argument number `argnums`, in the
    structure of that argument, or a tuple of such if `argnums` is a tuple. It raises a TypeError if f does not return
    one number, a ValueError if there is no such argument.

    >>> grad(lambda p: p["w"] * p["x"] ** 2)({"w": 3.0, "x": 2.0})
    {'w': 4.0, 'x': 12.0}
    """
    both = value_and_grad(f, argnums)
    return _named(f, lambda *args, **kwargs: both(*args, **kwargs)[1])


def value_and_grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """As `grad`, but with the value of `f`: a pair of value and gradient. It raises what `grad` raises.

    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0)
    (10.0, (5.0, 2.0))
    """

    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        inner, primals = _restrict(f, argnums, args, kwargs)
        value, pullback = vjp(inner, *primals)
        number(value, f"grad: the result of {_name(f)} (for more numbers than one there is jacobian)")
        gradients = pullback(1.0)
        return value, gradients if isinstance(argnums, tuple) else gradients[0]

    return _named(f, both)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Forward mode: the value of `f` at `primals`, and its derivative in the direction `tangents`.

    `primals` and `tangents` are sequences with one item per argument, of the same structure; value and derivative have
    the structure of f's result. ValueError if the structures differ, TypeError if f returns anything but numbers.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 10.0))
    (10.0, 25.0)
    """
    if not isinstance(primals, list | tuple) or not isinstance(tangents, list | tuple):
        raise TypeError(
            f"jvp: primals and tangents have one item per argument, as in (2.0,), got {primals!r}, {tangents!r}"
        )
    level = next(_levels)
    xs, structure = _primals(tuple(primals), "jvp: a primal")
    speeds = leaves_like(structure, tuple(primals), tuple(tangents), "jvp: primals and tangents")
    inputs = [variable(x, level, Dual) for x in xs]
    for x, tangent in zip(inputs, speeds, strict=True):
        x.tangent = number(tangent, "jvp: a tangent")
    ys, structure = _run(f, tree_unflatten(structure, inputs), level)
    slopes = [_settle(y.tangent) if is_at(y, level) else 0.0 for y in ys]
    return tree_unflatten(structure, map(_settle, ys)), tree_unflatten(structure, slopes)


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """Reverse mode: the value of `f` at `primals`, and a function that pulls cotangents back through f.

    That function takes cotangents in the structure of f's result, and returns a tuple with a gradient for each primal,
    in its structure; it raises a ValueError if the structure differs, a TypeError if something in it is no number.
    TypeError if f returns anything but numbers.

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 5.0)
    >>> value, pullback([1.0, 10.0])
    ([10.0, 7.0], (15.0, 12.0))
    """
    level = next(_levels)
    xs, structure = _primals(primals, "an argument")
    inputs = [variable(x, level) for x in xs]
    ys, out = _run(f, tree_unflatten(structure, inputs), level)
    value = tree_unflatten(out, map(_settle, ys))
    lock = allocate_lock()  # two threads may pull back at once, and the gradients pass through the nodes

    def pullback(cotangents: Any) -> Any:
        seeds = leaves_like(out, value, cotangents, "vjp: value and cotangents")
        roots = [(y, number(seed, "vjp: a cotangent")) for y, seed in zip(ys, seeds, strict=True)]
        with lock:
            for x in inputs:
                x.grad = NOTHING
            sweep([root for root in roots if is_at(root[0], level)])
            return tree_unflatten(structure, [_settle(x.grad) for x in inputs])

    return value, pullback


def jacobian(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """The derivatives of every number in the result of `f`, forward or reverse, whichever takes fewer sweeps.

    The result takes the arguments of f, and returns the structure of f's result with a gradient (as of `grad`) in the
    place of every number; NumPy arrays become one array. It raises what `grad` raises, but f may return a structure.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], x[0]])([2.0, 5.0])
    [[5.0, 2.0], [1.0, 1.0], [1.0, 0.0]]
    """

    def gradients(*args: Any, **kwargs: Any) -> Any:
        inner, primals = _restrict(f, argnums, args, kwargs)
        value, pullback = vjp(inner, *primals)
        outputs, inputs = tree_leaves(value), tree_leaves(primals)
        if len(outputs) <= len(inputs) or not inputs:
            rows = [pullback(row) for row in _basis(value, len(outputs))]
        else:
            columns = [tree_leaves(jvp(inner, primals, column)[1]) for column in _basis(primals, len(inputs))]
            rows = [tree_fill(primals, row) for row in zip(*columns, strict=True)]
        return tree_fill(value, rows if isinstance(argnums, tuple) else [row[0] for row in rows])

    return _named(f, gradients)


def hessian(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """The second derivatives of `f`, whose result is one number: the Jacobian of its gradient, and raises as these.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of `f` at `primals`, times the vector `tangents`, at the cost of two gradients (Pearlmutter, 1994).

    `primals` and `tangents` are as for `jvp`; the result has the structure of the primal, or is a tuple if there are
    more than one. It raises what `grad` and `jvp` raise.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 5.0],), ([1.0, 0.0],))
    [10.0, 6.0]
    """
    several = isinstance(primals, list | tuple) and len(primals) > 1
    return jvp(grad(f, tuple(range(len(primals))) if several else 0), primals, tangents)[1]


def _primals(primals: tuple[Any, ...], what: str) -> tuple[list[Any], Any]:
    """The numbers in the arguments, and their structure; TypeError if an argument is no tree of numbers."""
    for x in primals:
        if type(x) is not float:
            tree_flatten(x, what)  # None or a string may be part of a structure, but is no argument to differentiate by
    leaves, structure = tree_flatten(primals, what)
    return [number(x, what) for x in leaves], structure


def _basis(tree: Any, n: int) -> list[Any]:
    return [tree_fill(tree, [1.0 if i == j else NOTHING for j in range(n)]) for i in range(n)]


def _restrict(f: Function, argnums: int | tuple[int, ...], args: Any, kwargs: Any) -> tuple[Function, tuple[Any, ...]]:
    """`f` as a function of the arguments numbered `argnums` alone, and these arguments."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for i in numbers:
        if type(i) is not int or not -len(args) <= i < len(args):
            raise ValueError(
                f"argnums: {_name(f)} was called with {len(args)} positional arguments, there is no number {i!r}"
            )
    if len({i % len(args) for i in numbers}) < len(numbers):
        raise ValueError(f"argnums: {argnums!r} names an argument of {_name(f)} twice")

    def inner(*chosen: Any) -> Any:
        arguments = list(args)
        for i, x in zip(numbers, chosen, strict=True):
            arguments[i] = x
        return f(*arguments, **kwargs)

    return _named(f, inner), tuple([args[i] for i in numbers])


# Levels ---------------------------------------------------------------------------------------------------------------


# The levels of the transforms that are running, and that of ordinary Values. Whatever else runs a function over Values
# of a level of its own must put that level here, or the transforms inside take its Values for plain numbers.
_live = {0}


def _run(f: Function, inputs: Any, level: int) -> tuple[list[Any], Any]:
    """The result of `f`, taken apart. What transforms inside left behind, or such that are over, becomes its number."""
    _live.add(level)
    try:
        leaves, structure = tree_flatten(f(*inputs), what := f"the result of {_name(f)}")
        return [number(_settle(y, level), what) for y in leaves], structure
    finally:
        _live.remove(level)


def _settle(x: Any, level: float = inf) -> Any:
    """`x`, or the number in it, if it is of a level deeper than `level`, or of a transform that is over."""
    while getattr(x, "transient", False) and (x.level > level or x.level not in _live):
        x = x.data
    return x


def _name(f: Any) -> str:
    return getattr(f, "__name__", repr(f))


def _named(f: Any, function: Any) -> Function:
    """`function`, under the name of `f`, for messages."""
    function.__name__, function.__wrapped__ = _name(f), f
    return function  # type: ignore[no-any-return]
