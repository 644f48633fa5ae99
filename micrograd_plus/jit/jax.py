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
from ..machinery.operations import OWN
from ..rules import RULES
from .compiled import filler
from .trace import COMPARISONS, Symbol, needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..functions import Function

TEXTS = {"where": "where({}, {}, {})", "and": "{} & {}", "or": "{} | {}", "not": "~{}"}
TEXTS |= {sign: f"{{}} {sign} {{}}" for sign in COMPARISONS.values()}


class Program:
    """The program, called with a list of numbers; `source` is its text."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any, name: str) -> None:
        program, self.source = _function(inputs, outputs)
        self._traced, self._fill = lambda numbers: program(*numbers), filler(structure)
        self._run = jax.jit(self._traced)

    def __call__(self, leaves: Sequence[float]) -> Any:
        if not {float}.issuperset(map(type, leaves)):
            raise TypeError("not of floats")
        with jax.enable_x64(True):
            results = jax.device_get(self._run(np.array(leaves, float)))
        return self._fill([float(y) for y in results])


class Batched:
    """The program of one sample over a batch, as `jit.llvm.Batched`; arrays may lie on several devices."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        program, self.source = _function(inputs, outputs)

        def of_sample(numbers: Any, arrays: list[Any]) -> Any:
            singles, columns = iter(numbers), iter([x for array in arrays for x in jnp.ravel(array)])
            return program(*[next(columns) if is_mapped else next(singles) for is_mapped in mapped])

        def of_batch(numbers: Any, arrays: list[Any]) -> list[Any]:
            results = jax.vmap(of_sample, in_axes=(None, 0), axis_size=len(arrays[0]))(numbers, arrays)
            finish = {"": lambda y: y, "sum": jnp.sum, "mean": jnp.mean}
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

    def text(x: Any) -> str:
        return f"t{x.index}" if isinstance(x, Symbol) else repr(x) if not repr(x).startswith("-") else f"({x!r})"

    lines = []
    for symbol in needed(outputs):
        if symbol.operation:
            operands = [text(x) for x in symbol.operands]
            pattern = TEXTS.get(symbol.operation)
            written = pattern.format(*operands) if pattern else RULES[symbol.operation].program(operands)
            lines.append(f"    {text(symbol)} = {written}\n")
    head = f"def program({', '.join(map(text, inputs))}):\n"
    # An output that is a number becomes an array, for it to be a result like others.
    source = f"{head}{''.join(lines)}    return [{', '.join([f'asarray({text(y)})' for y in outputs])}]\n"
    namespace = _names()
    exec(compile(source, "<jit for JAX>", "exec"), namespace)
    return namespace["program"], source


def _names() -> dict[str, Any]:
    """What the names in a program mean."""
    names: dict[str, Any] = {"where": jnp.where, "asarray": lambda x: jnp.asarray(x, float), "inf": inf, "nan": nan}
    names |= {"reciprocal": lambda x: jnp.divide(1.0, x), "step": lambda x: jnp.maximum(jnp.sign(x), 0.0)}
    names |= {"abs": jnp.abs, "pow": jnp.power}
    names["times"] = lambda x, y: jnp.where((x == 0.0) | (y == 0.0), 0.0, x * y)
    for name, rule in RULES.items():
        theirs = rule.numpy or name
        if name not in names and name in KERNELS:
            found = getattr(jnp, theirs, None) or getattr(jax.scipy.special, theirs, None)
            found = (
                None if name in OWN or name == "polygamma" else found
            )  # JAX's has no negative x, and an int as order
            names[name] = found or _called_back(KERNELS[name])
    return names


def _called_back(kernel: Function) -> Function:
    """An operation that JAX does not have, by way of Python."""
    over_arrays = np.vectorize(kernel, otypes=[float])

    def call(*x: Any) -> Any:
        given: Any = jnp.broadcast_arrays(*[jnp.asarray(y, float) for y in x])
        return jax.pure_callback(over_arrays, jnp.zeros_like(given[0]), *given, vmap_method="expand_dims")

    return call
