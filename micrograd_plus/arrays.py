"""The same program over arrays: a batch at a time, of NumPy's, or of JAX's and so on all of its devices.

An array in the place of a number is a batch of numbers. What a program does to them is NumPy's or JAX's function of the
same name; where it was written with matrices (matrices.py), a product of these.

NumPy runs the program in blocks of the batch, as otherwise the numbers in between would take as much memory as all of
the batch times all of the operations. JAX compiles it, and does with the batch what it does with any array: it may lie
in pieces on several devices.
"""

from __future__ import annotations

from math import inf, nan, prod
from typing import TYPE_CHECKING, Any

from .functions import KERNELS
from .rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .functions import Function
    from .matrices import Matrices

BLOCK = 1024  # elements: few enough to stay in the processor's cache, and many for each call of NumPy
ROOM = 2**25  # numbers: where otherwise more than so many would be kept at a time, blocks are smaller


def numpy_program(made: Function, batches: Sequence[bool], plan: Matrices) -> Function:
    """The function from a list of numbers and arrays to the list of the program's results, by NumPy.

    `made` makes the program out of what its names mean; `batches` says which of its arguments are arrays, and `plan`
    what is to be done with its results.
    """
    import numpy as np

    program, reductions, places = made(kernels("numpy", np.array)), plan.reductions, plan.places
    arrays = [i for i, is_batch in enumerate(batches) if is_batch]
    others = [i for i, is_batch in enumerate(batches) if not is_batch]
    has_count = plan.count is not None
    block = min(BLOCK, ROOM // (len(plan.batches) + 1) + 1)

    def run(leaves: Sequence[Any]) -> list[Any]:
        shape = np.broadcast_shapes(*[leaves[i].shape for i in arrays])
        whole = [np.broadcast_to(np.asarray(leaves[i], float), shape).ravel() for i in arrays]
        arguments: list[Any] = [None] * (len(leaves) + has_count)
        for i, x in zip(others, np.array([leaves[i] for i in others], float), strict=True):
            arguments[i] = x
        if not arrays:
            with np.errstate(all="ignore"):
                numbers = [float(y) for y in program(*arguments[: len(leaves)], *[1.0] * has_count)]
            return [numbers[i] for i in places]
        n = prod(shape)
        results: list[Any] = [np.empty(n) if how == "stack" else 0.0 for how in reductions]
        with np.errstate(all="ignore"):
            for start in range(0, max(n, 1), block):
                stop = min(start + block, n)
                for i, x in zip(arrays, whole, strict=True):
                    arguments[i] = x[start:stop]
                if has_count:
                    arguments[-1] = float(stop - start)
                for k, y in enumerate(program(*arguments)):
                    if reductions[k] == "stack":
                        results[k][start:stop] = y
                    else:
                        results[k] = y if reductions[k] == "number" else results[k] + y
            numbers, stacks = _finished(np, results, reductions, shape)
        flat = [*[x for y in numbers for x in np.ravel(y).tolist()], *stacks]
        return [flat[i] for i in places]

    return run


def jax_program(made: Function, batches: Sequence[bool], plan: Matrices) -> Function:
    """As `numpy_program`, compiled by JAX, with 64-bit floats. Of the results, batches are arrays of JAX's.

    Inside of a transform of JAX's it is a part of that program, with the floats that JAX is set to.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    reductions, places = plan.reductions, plan.places

    def traced(numbers: Any, arrays: dict[int, Any]) -> tuple[list[Any], list[Any]]:
        singles = list(numbers)
        single, numbered = iter(singles), {id(x): i for i, x in enumerate(singles)}

        def array(rows: list[list[Any]]) -> Any:
            if not all(id(x) in numbered for row in rows for x in row):
                return jnp.array(rows)
            chosen = np.array([[numbered[id(x)] for x in row] for row in rows])
            return numbers[chosen]  # at once: JAX would compile each number by itself

        leaves = [jnp.asarray(arrays[i], float) if i in arrays else next(single) for i in range(len(batches))]
        shape = jnp.broadcast_shapes(*[x.shape for x, is_batch in zip(leaves, batches, strict=True) if is_batch])
        for i, is_batch in enumerate(batches):
            if is_batch:
                leaves[i] = jnp.broadcast_to(leaves[i], shape).ravel()
        with jax.default_matmul_precision("highest"):
            count = [] if plan.count is None else [float(prod(shape))]
            results = made(kernels("jax", array))(*leaves, *count)
        return _finished(jnp, results, reductions, shape)

    compiled = jax.jit(traced)

    def run(leaves: Sequence[Any]) -> list[Any]:
        arrays = {i: x for i, x in enumerate(leaves) if type(x) is not float and type(x) is not int}
        numbers = np.array([x for x in leaves if type(x) is float or type(x) is int], float)
        if any(isinstance(x, jax.core.Tracer) for x in arrays.values()):
            totals, stacks = traced(numbers, arrays)
            flat = [*[x for total in totals for x in jnp.ravel(total)], *stacks]
        else:
            with jax.enable_x64(True):
                totals, stacks = compiled(numbers, arrays)
            flat = [*[x for total in totals for x in np.ravel(total).tolist()], *stacks]
        return [flat[i] for i in places]

    return run


def _finished(
    xp: Any, results: Sequence[Any], reductions: Sequence[str], shape: tuple[int, ...]
) -> tuple[list[Any], list[Any]]:
    """The numbers in the results, one or many in each, and the batches in them."""
    numbers, stacks = [], []  # not in one row: XLA would compile that for a minute
    for y, how in zip(results, reductions, strict=True):
        if how == "stack":
            stacks.append(y.reshape(shape))
        else:
            numbers.append(y / prod(shape) if how == "mean" else y)
    return numbers, stacks


def kernels(backend: str, array: Function) -> dict[str, Any]:
    """What the names in a program mean over arrays; `array` makes a matrix of a list of lists of numbers.

    >>> import numpy
    >>> float(kernels("numpy", numpy.array)["step"](3.0))
    1.0
    """
    import numpy

    xp: Any = numpy
    others: Any = None
    if backend == "jax":
        import jax

        xp, others = jax.numpy, jax.scipy.special

    # What has no counterpart of that name, or one that differs at the edges.
    names: dict[str, Any] = {
        "abs": xp.abs,
        "where": xp.where,
        "pow": xp.power,
        "step": lambda x: xp.maximum(xp.sign(x), 0.0),
        "reciprocal": lambda x: xp.divide(1.0, x),
        "times": lambda x, y: xp.where((x == 0.0) | (y == 0.0), 0.0, x * y),
        "gaussian": lambda x, y: xp.exp(y * x * x),
        "inf": inf,
        "nan": nan,
    }
    for name, kernel in KERNELS.items():
        rule = RULES.get(name)
        theirs = (rule and rule.numpy) or name
        if name in names or (rule and rule.sequences):
            continue
        if rule and f"{name}(" not in rule.template:  # made of others
            names[name] = eval(f"lambda x, y=0.0: {rule.program(['x', 'y'])}", names)
        else:
            names[name] = getattr(xp, theirs, None) or getattr(others, theirs, None) or _one_by_one(kernel)

    def stack(*parts: Any) -> Any:
        width = max([x.shape[-1] for x in parts if getattr(x, "shape", ())])
        heights = [len(x) if getattr(x, "ndim", 0) == 2 else 1 for x in parts]
        if backend == "jax":
            return xp.concatenate([xp.broadcast_to(x, (n, width)) for x, n in zip(parts, heights, strict=True)])
        rows, i = xp.empty((sum(heights), width)), 0
        for x, n in zip(parts, heights, strict=True):
            rows[i : i + n] = x
            i += n
        return rows

    def careful(product: Any, row: Function, rows: Any) -> Any:
        """The product; but with 0 · ∞ = 0, row by row, if there may have been such."""
        if backend == "jax":
            return jax.lax.cond(xp.isfinite(product).all(), lambda: product, lambda: jax.vmap(row)(rows))
        return product if xp.isfinite(product).all() else xp.array([row(x) for x in rows])

    def chained_products(weights: Any, x: Any) -> Any:
        weights = array(weights)
        return careful(weights @ x, lambda w: names["times"](w[:, None], x).sum(0), weights)

    names |= {
        "stack": stack,
        "column": lambda numbers: array([[x] for x in numbers]),
        "products": lambda weights, x: array(weights) @ x,
        "chained_products": chained_products,
        "sums": lambda x, y: x @ y.T,
        "chained_sums": lambda x, y: careful(x @ y.T, lambda x: names["times"](x, y).sum(1), x),
        "total": xp.sum,
    }
    return names


def _one_by_one(kernel: Function) -> Any:
    """A function of arrays from one of floats, for what NumPy has not; nan where that raises."""
    import numpy

    def quiet(*x: float) -> float:
        try:
            return float(kernel(*x))
        except (ValueError, ArithmeticError):
            return nan

    return numpy.vectorize(quiet, otypes=[float])
