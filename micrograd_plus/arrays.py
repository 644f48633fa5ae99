"""The same program over arrays: a batch at a time, of NumPy's, or of JAX's and so on all of its devices.

An array in the place of a number is a batch of numbers. NumPy runs the program in blocks of the batch, as otherwise the
numbers in between would take as much memory as all of the batch times all of the operations. JAX compiles it, and does
with the batch what it does with any array: it may lie in pieces on several devices.
"""

from __future__ import annotations

from math import inf, nan, prod
from typing import TYPE_CHECKING, Any

from .functions import KERNELS
from .rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .functions import Function

BLOCK = 1024  # elements: few enough to stay in the processor's cache, and many for each call of NumPy


def numpy_program(program: Function, reduce: Sequence[str]) -> Function:
    """The function from a list of numbers and arrays to the list of the program's results, by NumPy.

    `program` is of the namespace of `numpy_kernels`; `reduce` says for each result whether it is to be one of the batch
    ("stack"), or their "sum" or "mean".
    """
    import numpy as np

    def run(leaves: Sequence[Any]) -> list[Any]:
        batches = [i for i, x in enumerate(leaves) if getattr(x, "shape", ())]
        numbers = [np.float64(x) if i not in batches else x for i, x in enumerate(leaves)]
        with np.errstate(all="ignore"):
            if not batches:
                return [float(y) for y in program(*numbers)]
            shape = np.broadcast_shapes(*[leaves[i].shape for i in batches])
            whole = {i: np.broadcast_to(leaves[i], shape).astype(float).ravel() for i in batches}
            n = prod(shape)
            results: list[Any] = [0.0] * len(reduce)
            for start in range(0, n, BLOCK):
                for i, x in whole.items():
                    numbers[i] = x[start : start + BLOCK]
                size = min(BLOCK, n - start)
                for i, y in enumerate(program(*numbers)):
                    if reduce[i] != "stack":
                        results[i] += y.sum() if getattr(y, "shape", ()) else y * size
                    elif getattr(y, "shape", ()):
                        if not start:
                            results[i] = np.empty(n)
                        results[i][start : start + BLOCK] = y
                    else:
                        results[i] = y
        return [_finished(y, how, shape, n) for y, how in zip(results, reduce, strict=True)]

    return run


def _finished(y: Any, how: str, shape: tuple[int, ...], n: int) -> Any:
    if getattr(y, "shape", ()):
        return y.reshape(shape)
    return float(y) / n if how == "mean" else float(y)


def jax_program(program: Function, reduce: Sequence[str]) -> Function:
    """As `numpy_program`, compiled by JAX, with 64-bit floats; the results are arrays of JAX's."""
    import jax
    import jax.numpy as jnp

    def whole(leaves: Sequence[Any]) -> list[Any]:
        leaves = [jnp.asarray(x, float) for x in leaves]
        shape = jnp.broadcast_shapes(*[x.shape for x in leaves])
        totals = {"sum": jnp.sum, "mean": jnp.mean}
        results = program(*leaves)
        return [
            y if how == "stack" else totals[how](jnp.broadcast_to(y, shape))
            for y, how in zip(results, reduce, strict=True)
        ]

    compiled = jax.jit(whole)

    def run(leaves: Sequence[Any]) -> list[Any]:
        with jax.enable_x64(True):
            return list(compiled(list(leaves)))

    return run


def kernels(backend: str) -> dict[str, Any]:
    """What the names in a program mean over arrays: NumPy's or JAX's functions.

    >>> float(kernels("numpy")["step"](3.0))
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
        "step": lambda x: xp.heaviside(x, 0.0),
        "reciprocal": lambda x: xp.divide(1.0, x),
        "chained": lambda x, y: xp.where((x == 0.0) | (y == 0.0), 0.0, x * y),
        "gaussian": lambda x, y: xp.exp(y * (x * x)),
        "inf": inf,
        "nan": nan,
    }
    for name, kernel in KERNELS.items():
        theirs = (RULES[name].numpy if name in RULES else "") or name
        if name not in names and not (name in RULES and RULES[name].sequences):
            names[name] = getattr(xp, theirs, None) or getattr(others, theirs, None) or _one_by_one(kernel)
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
