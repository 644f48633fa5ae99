"""Functions of functions: from f to its derivative, gradient, Jacobian, Hessian. Names and meanings are JAX's.

Each call of a transform takes a fresh level, wraps the inputs of f as Values of that level, runs f, and reads off the
derivatives. To it, a Value of an outer level is a constant, and a Value that an inner transform left behind stands for
its number. That is all it takes for transforms to nest without taking the tangent of one for that of another (Siskind
and Pearlmutter, "Perturbation confusion and referential transparency", 2005).

Forward mode is jvp, for Jacobian-vector product; reverse mode is vjp, vector-Jacobian product. *Primals* are the
arguments of f, *cotangents* gradients of the numbers in its result. Arguments and results are numbers, or trees of
them: lists, tuples, dicts, arrays, nested as you like.
"""

from __future__ import annotations

from _thread import allocate_lock
from itertools import count
from math import inf

from .functions import number
from .machinery import trees
from .machinery.digits import NOTHING, doubts
from .machinery.running import running
from .machinery.trees import tree_fill, tree_flatten, tree_leaves, tree_rows, tree_unflatten
from .value import Dual, is_at, sweep, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .functions import Function

    Argnums = int | Sequence[int]

levels = count(1)


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

        return trees.named(f, lambda x: derivatives(f, n)(x)[n])

    def slope(x: Any) -> Any:
        value, tangent = jvp(f, (number(x, "derivative: the argument"),), (1.0,))
        trees.one_number(value, f"derivative: the result of {trees.name_of(f)}")
        return tangent

    return derivative(trees.named(f, slope), n - 1)


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The gradient of `f`, whose result is one number, in reverse mode.

    The result takes the arguments of f and returns the derivatives with respect to argument number `argnums`, in the
    structure of that argument, or a tuple of such if `argnums` is a list or a tuple. With `has_aux`, f returns a pair
    of the number and anything else, and the result is a pair of the gradient and that. It raises a TypeError if f does
    not return one number, a ValueError if there is no such argument.

    >>> grad(lambda p: p["w"] * p["x"] ** 2)({"w": 3.0, "x": 2.0})
    {'w': 4.0, 'x': 12.0}
    """
    both = value_and_grad(f, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return trees.named(f, gradient)


def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As `grad`, but with the value of `f`: a pair of value and gradient. It raises what `grad` raises.

    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0)
    (10.0, (5.0, 2.0))
    """

    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        inner, primals, several = trees.restricted(f, argnums, args, kwargs)
        with doubts:
            value, pullback, *aux = _vjp(inner, primals, has_aux)
            trees.one_number(
                value, f"grad: the result of {trees.name_of(f)} (for more numbers than one there is jacobian)"
            )
            gradients = pullback(1.0)
        return (value, *aux) if has_aux else value, gradients if several else gradients[0]

    return trees.named(f, both)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """Forward mode: the value of `f`, and its derivative in the direction `tangents`.

    `primals`, the arguments of f, and `tangents` are sequences of the same structure; value and derivative have the
    structure of f's result. With `has_aux`, f returns a pair of the result and anything else, which comes third.
    ValueError if the structures differ, TypeError if f returns no numbers.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 10.0))
    (10.0, 25.0)
    """
    if not isinstance(primals, list | tuple) or not isinstance(tangents, list | tuple):
        raise TypeError(
            f"jvp: primals and tangents have one item per argument, as in (2.0,), got {primals!r}, {tangents!r}"
        )
    level = next(levels)
    xs, structure = trees.arguments(tuple(primals), "jvp: a primal")
    speeds = trees.leaves_like(structure, tuple(primals), tuple(tangents), "jvp: primals and tangents")
    inputs = [variable(x, level, Dual) for x in xs]
    for x, tangent in zip(inputs, speeds, strict=True):
        x.tangent = trees.seed(tangent, "jvp: a tangent")
    with doubts:
        ys, out, *aux = _run(f, tree_unflatten(structure, inputs), level, has_aux)
    slopes = [settle(y.tangent) if is_at(y, level) else 0.0 for y in ys]  # the level is over: this unwraps its Values
    return tree_unflatten(out, map(settle, ys)), tree_unflatten(out, slopes), *aux


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """Reverse mode: the value of `f` at `primals`, and the pullback of gradients through f.

    The pullback takes cotangents, in the structure of f's result, and returns a tuple with a gradient for each primal.
    It raises a ValueError if the structure differs, a TypeError if something in it is no number. With `has_aux`, f
    returns a pair of the result and anything else, which comes third. TypeError if f returns no numbers.

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 5.0)
    >>> value, pullback([1.0, 10.0])
    ([10.0, 7.0], (15.0, 12.0))
    """
    with doubts:
        return _vjp(f, primals, has_aux, keep=True)


def _vjp(f: Function, primals: tuple[Any, ...], has_aux: bool = False, keep: bool = False) -> Any:
    level = next(levels)
    xs, structure = trees.arguments(primals, "an argument")
    inputs = [variable(x, level) for x in xs]
    ys, out, *aux = _run(f, tree_unflatten(structure, inputs), level, has_aux)
    if keep:  # the pullback may be called when the data of parameters, which are partials here, have changed
        trees.freeze([y for y in ys if is_at(y, level)])
    value = tree_unflatten(out, map(settle, ys))
    lock = allocate_lock()  # two threads may pull back at once, and the gradients pass through the nodes

    def pullback(cotangents: Any) -> Any:
        seeds = trees.leaves_like(out, value, cotangents, "vjp: value and cotangents")
        roots = [(y, trees.seed(x, "vjp: a cotangent")) for y, x in zip(ys, seeds, strict=True)]
        with lock, doubts:
            for x in inputs:
                x.grad = NOTHING
            sweep([root for root in roots if is_at(root[0], level)])
            return tree_unflatten(structure, [settle(x.grad) for x in inputs])

    return value, pullback, *aux


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """The derivatives of every number in the result of `f`, forward or reverse, whichever takes fewer sweeps.

    The result takes the arguments of f, and returns the structure of f's result with a gradient (as of `grad`) in the
    place of every number; NumPy arrays become one array. It raises what `grad` raises, but f may return a structure.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], x[0]])([2.0, 5.0])
    [[5.0, 2.0], [1.0, 1.0], [1.0, 0.0]]
    """

    def gradients(*args: Any, **kwargs: Any) -> Any:
        inner, primals, several = trees.restricted(f, argnums, args, kwargs)
        with doubts:
            value, pullback = _vjp(inner, primals)
            outputs, inputs = tree_leaves(value), tree_leaves(primals)
            if len(outputs) <= len(inputs) or not inputs:
                rows = [pullback(row) for row in trees.basis(value, len(outputs))]
            else:
                columns = [tree_leaves(jvp(inner, primals, column)[1]) for column in trees.basis(primals, len(inputs))]
                rows = [tree_fill(primals, row) for row in zip(*columns, strict=True)]
        return tree_rows(value, rows if several else [row[0] for row in rows])

    return trees.named(f, gradients)


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The second derivatives of `f`, whose result is one number: the Jacobian of its gradient; it raises what they do.

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


# Levels ---------------------------------------------------------------------------------------------------------------


# The levels of the transforms that are running, and that of ordinary Values. Whatever else runs a function over Values
# of a level of its own must put that level here, or the transforms inside take its Values for plain numbers.
_live = {0}


def _run(f: Function, inputs: Any, level: int, has_aux: bool = False) -> Any:
    """The result of `f`, taken apart, and with `has_aux` what it returned besides.

    A Value that a transform inside left behind, or one that is over, is replaced by its number.
    """
    what = f"the result of {trees.name_of(f)}"
    _live.add(level)
    running.depth += 1
    try:
        result, *aux = trees.outcome(f(*inputs), what, level, settle, has_aux)
        leaves, structure = tree_flatten(result, what)
        leaves = [number(settle(y, level), what) for y in leaves]
        return leaves, structure, *aux
    finally:
        running.depth -= 1
        _live.remove(level)


def settle(x: Any, level: float = inf) -> Any:
    """`x`, or the number in it, if it is of a level deeper than `level`, or of a transform that is over."""
    while getattr(x, "transient", False) and (x.level > level or x.level not in _live):
        x = x.data
    return x
