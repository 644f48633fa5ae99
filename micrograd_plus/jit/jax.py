"""The trace as a program of JAX's: a line for each operation, in the words of jax.numpy, under jax.jit.

A batch is jax.vmap of that. What raises in `math` is nan or infinite. The floats are those of 64 bits; inside of a
transform of JAX's, the program is a part of that, with the floats that JAX is set to.
"""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..functions import KERNELS
from ..machinery.formulas import over_arrays
from ..machinery.trees import tree_unflatten
from ..rules import RULES
from . import python
from .text import Text
from .trace import Symbol, needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..functions import Function

TEXTS = {**python.TEXTS, **python.TIMES, "where": ("where({}, {}, {})", 9, (0, 0, 0))}
TEXTS |= {"and": ("({}) & ({})", 0, (0, 0)), "or": ("({}) | ({})", 0, (0, 0)), "not": ("~({})", 7, (0,))}


class Program:
    """The program, called with a list of numbers; `source` is its text."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any, name: str) -> None:
        program, self.source = _function(inputs, outputs)
        self._run, self._structure = jax.jit(lambda numbers: program(*numbers)), structure

    def __call__(self, leaves: Sequence[float]) -> Any:
        if not {float}.issuperset(map(type, leaves)):
            raise TypeError("not of floats")
        with jax.enable_x64(True):
            results = jax.device_get(self._run(np.array(leaves, float)))
        return tree_unflatten(self._structure, map(float, results))


class Batched:
    """The program of one sample over a batch, as `jit.llvm.Batched`; arrays may lie on several devices."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        program, self.source = _function(inputs, outputs)
        finish = {"": lambda y: y, "sum": jnp.sum, "mean": jnp.mean}

        def of_sample(numbers: Any, arrays: list[Any]) -> Any:
            singles, columns = iter(numbers), iter([x for array in arrays for x in jnp.ravel(array)])
            return program(*[next(columns) if is_mapped else next(singles) for is_mapped in mapped])

        def of_batch(numbers: Any, arrays: list[Any]) -> list[Any]:
            results = jax.vmap(of_sample, in_axes=(None, 0), axis_size=len(arrays[0]))(numbers, arrays)
            return [finish[how](y) for how, y in zip(reduce, results, strict=True)]

        self._traced, self._run, self._reduce = of_batch, jax.jit(of_batch), reduce

    def __call__(self, leaves: list[Any], n: int) -> list[Any]:
        arrays = [x for x in leaves if type(x) is not float]
        numbers = np.array([x for x in leaves if type(x) is float])
        if any(isinstance(x, jax.core.Tracer) for x in arrays):
            return self._traced(numbers, arrays)
        with jax.enable_x64(True):
            results = self._run(numbers, arrays)
            return [float(y) if how else y for y, how in zip(results, self._reduce, strict=True)]


def _function(inputs: Sequence[Symbol], outputs: list[Any]) -> tuple[Function, str]:
    """The function from as many numbers as there are inputs to the list of the outputs, and its text."""
    text = Text(inputs, outputs, TEXTS, taken=[*KERNELS, "program", "asarray", "inf", "nan"])
    names: dict[str, Any] = {"where": jnp.where, "asarray": lambda x: jnp.asarray(x, float), "inf": inf, "nan": nan}
    for name in {symbol.operation for symbol in needed(outputs)} & RULES.keys() & KERNELS.keys():
        theirs = (jnp, jax.scipy.special) if name != "polygamma" else ()  # whose x is positive, and its order an int
        names[name] = over_arrays(name, _called_back, *theirs)
    lines = [f"    {name} = {value}" for name, value, _ in text.lines]
    # An output that is a number becomes an array, for it to be a result like others.
    lines.append(f"    return [{', '.join([f'asarray({result})' for result in text.results])}]")
    source = "\n".join([f"def program({', '.join(text.arguments)}):", *lines])
    exec(compile(source, "<jit for JAX>", "exec"), names)
    return names["program"], source


def _called_back(kernel: Function) -> Function:
    """An operation that JAX does not have, by way of Python."""
    over_floats = np.vectorize(kernel, otypes=[float])

    def call(*x: Any) -> Any:
        given: Any = jnp.broadcast_arrays(*[jnp.asarray(y, float) for y in x])
        return jax.pure_callback(over_floats, jnp.zeros_like(given[0]), *given, vmap_method="expand_dims")

    return call
