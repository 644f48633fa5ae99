"""A batch: many samples as one number, an array of NumPy's, and `vmap`, which runs a function over them at once.

An operation on a batch is that of NumPy's on the array. The rules of calculus are written over numbers of any kind, and
so hold for batches too: a Value of a batch is differentiated as any other. What a program does to every sample it does
once, to all of them. Where `math` raises, a batch has nan or infinity.

A batch has a level, as a Value has, of the transform that made it. A gradient that comes back to a number from before
the batch is summed over it; to an input of a transform inside of `vmap` it goes sample by sample.
"""

from __future__ import annotations

import _operator as operator  # as in machinery/operators.py
from math import prod

from .functions import number, real
from .machinery.formulas import made_of, over_arrays
from .machinery.operators import Number
from .machinery.running import running
from .machinery.trees import name_of, named, tree_flatten, tree_unflatten
from .rules import Rule
from .transforms import levels, settle
from .value import Value, bottom, operate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .functions import Function


class Batch(Number):
    """Numbers of many samples, in an array; or conditions, if it is one of bools. Made by `vmap`.

    Values hold batches as they hold floats, whatever their level: `opened` is that of the vmap.
    """

    __slots__ = ("data", "opened")

    level = -1

    def __init__(self, data: Any, opened: int) -> None:
        self.data, self.opened = data, opened

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, of which none is a Value."""
        import numpy

        function = over_arrays(name, lambda kernel: numpy.vectorize(kernel, otypes=[float]), numpy)
        return self._of(function, *operands) if function else made_of(name)(*operands)

    def compare(self, holds: Any, other: Any) -> Any:
        """Conditions."""
        return self._of(holds, self, other)

    def _of(self, function: Function, *operands: Any) -> Batch:
        """The batch of a function of arrays, for operands that are batches or numbers."""
        import numpy

        for x in operands:
            if isinstance(x, Batch) and x.opened != self.opened:
                raise TypeError(f"{x!r} is of another vmap, which is over, or around this one: map once, over all axes")
        arrays = [x.data * 1.0 if isinstance(x, Batch) else real(x, "a number beside a batch") for x in operands]
        with numpy.errstate(all="ignore"):
            return Batch(function(*arrays), self.opened)

    def where(self, x: Any, y: Any) -> Any:
        """`x` where this condition holds, else `y`, sample by sample."""
        if isinstance(x, Value) or isinstance(y, Value):
            return choose(self, x, y)
        import numpy

        condition = self.data != 0.0
        return self._of(lambda x, y: numpy.where(condition, x, y), x, y)

    def total(self, x: Any, i: int | None = None) -> Any:
        """The sum of `x` over all samples, or its number in sample `i`; `x` is a batch, or a Value of one."""
        if isinstance(x, Batch):
            return float(x.data.sum() if i is None else x.data[i])
        if not isinstance(bottom(x), Batch):
            return x * float(len(self.data)) if i is None else x
        import numpy

        one = numpy.ones(len(self.data)) if i is None else 1.0 * (numpy.arange(len(self.data)) == i)
        weights = Batch(one, self.opened)
        value = operate(Rule("total", "total({x})", lambda x: (self.total(x, i), weights)), (x,))
        value.tangent = self.total(value.tangent) if isinstance(bottom(value.tangent), Batch) else value.tangent
        return value

    def _both(self, other: Any, connect: Any) -> Batch:
        others = other.data != 0.0 if isinstance(other, Batch) else bool(other)
        return Batch(connect(self.data != 0.0, others), self.opened)

    def __and__(self, other: Any) -> Batch:
        return self._both(other, operator.and_)

    def __or__(self, other: Any) -> Batch:
        return self._both(other, operator.or_)

    def __xor__(self, other: Any) -> Batch:
        return self._both(other, operator.xor)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Batch:
        return Batch(self.data == 0.0, self.opened)

    def __bool__(self) -> bool:
        raise TypeError("a batch has many numbers, and a branch takes one side: write where(condition, x, y) instead")

    __float__ = __int__ = __complex__ = __index__ = __bool__  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<a batch of {len(self.data)}>"


def choose(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`, of which one is a Value: an operation as others, with slopes 1 and 0."""

    def where(x: Any, y: Any) -> tuple[Any, Any, Any]:
        return condition.where(x, y), condition.where(1.0, 0.0), condition.where(0.0, 1.0)

    return operate(Rule("where", "where", where), (number(x, "where"), number(y, "where")))


# vmap -----------------------------------------------------------------------------------------------------------------


def vmap(f: Function, in_axes: Any = 0, *, reduce: Any = None) -> Function:
    """`f` over the leading axes of arrays, as in JAX: a function of one sample becomes one of a batch, and runs once.

    `in_axes` is 0 for an argument whose arrays are mapped over, None for one that is the same for all samples; a tuple
    of these with one for each argument, or structures of them as the arguments are. The numbers of the result become
    arrays, with an item for each sample; or `reduce`, a string or a structure of strings and None, adds them up: "sum",
    "mean". Inside a transform a number that depends on Values becomes a list of Values. f must not branch on a number
    of the batch, TypeError; ValueError if arrays differ in length, or are none.

    >>> import numpy as np
    >>> vmap(lambda w, x: w * x, in_axes=(None, 0))(2.0, np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    >>> from micrograd_plus import grad
    >>> grad(lambda w: vmap(lambda x: (w * x - 1.0) ** 2, reduce="mean")(np.array([1.0, 2.0])))(1.0)
    2.0
    """

    def mapped(*args: Any) -> Any:
        if running.recording or running.mapping:
            inside, outer = "vmap", "vmap(lambda x: ...) over all axes"
            if running.recording:
                inside, outer = "jit", "jit(vmap(f))"
            raise TypeError(f"vmap: {name_of(f)} is mapped inside of {inside}; write {outer}, with vmap outermost")
        level = next(levels)
        inputs, n = batched(f, in_axes, args, lambda x, i: _batch(x.reshape(len(x), -1)[:, i], level))
        batch = Batch(range(n), level)
        running.depth, running.mapping = running.depth + 1, True
        try:
            leaves, structure = tree_flatten(f(*inputs), what := f"the result of {name_of(f)}")
            result = tree_unflatten(structure, [number(settle(y), what) for y in leaves])
        finally:
            running.depth, running.mapping = running.depth - 1, False
        return reduced(result, reduce, lambda *x: _result(batch, *x))

    function: Any = named(f, mapped)
    function.vmap = f, in_axes, reduce
    return function  # type: ignore[no-any-return]


def batched(f: Any, in_axes: Any, args: tuple[Any, ...], leaf: Function) -> tuple[list[Any], int]:
    """The arguments of a vmap, without the axis of the samples, and how many samples there are.

    In the place of a number that has one in each sample stands `leaf` of the array that is mapped over, and its place.
    """
    if isinstance(in_axes, list | tuple) and len(in_axes) != len(args):
        raise ValueError(f"vmap: in_axes has {len(in_axes)} items, and {name_of(f)} was given {len(args)} arguments")
    lengths = set()

    def along(axis: Any, x: Any, name: str) -> Any:
        if axis is None:
            return x
        if isinstance(x, dict) and (axis == 0 or (isinstance(axis, dict) and axis.keys() == x.keys())):
            return {k: along(axis if axis == 0 else axis[k], item, f"{name}[{k!r}]") for k, item in x.items()}
        if isinstance(x, list | tuple) and (axis == 0 or (isinstance(axis, list | tuple) and len(axis) == len(x))):
            pairs = zip([axis] * len(x) if axis == 0 else axis, x, strict=True)
            return type(x)([along(a, item, f"{name}[{i}]") for i, (a, item) in enumerate(pairs)])
        if type(axis) is not int or axis != 0:
            raise ValueError(f"vmap: in_axes has {axis!r} for {name}; expected 0, None, or a structure like {x!r}")
        if not getattr(x, "shape", ()):
            raise ValueError(f"vmap: {name} has no axis to map over, as an array has: {x!r}; None, if it is for all")
        lengths.add(len(x))
        leaves = [leaf(x, i) for i in range(prod(x.shape[1:]))] if len(x) else []
        return leaves[0] if leaves and len(x.shape) == 1 else _objects(leaves).reshape(x.shape[1:] if leaves else 0)

    axes = in_axes if isinstance(in_axes, list | tuple) else [in_axes] * len(args)
    inputs = [along(axis, x, f"argument {i}") for i, (axis, x) in enumerate(zip(axes, args, strict=True))]
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"vmap: the arrays must have leading axes of one length, and not 0; got {sorted(lengths)}")
    return inputs, lengths.pop()


def _objects(items: Any) -> Any:
    import numpy

    array = numpy.empty(len(items), dtype=object)
    array[:] = items
    return array


def _batch(column: Any, level: int) -> Any:
    if column.dtype != object or not any(isinstance(x, Value) for x in column):
        return Batch(column.astype(float, copy=False), level)
    import numpy

    def gathered(*numbers: Any) -> Any:
        return _batch(_objects(numbers), level), *[Batch(row, level) for row in numpy.eye(len(numbers))]

    return operate(Rule("batch", "batch([{x}])", gathered), tuple([number(x, "vmap") for x in column]))


def reduced(result: Any, reduce: Any, function: Callable[[Any, str], Any]) -> Any:
    """The structure of the result, with `function` of each number, or array of numbers, and of what becomes of it."""
    if not isinstance(result, dict | list | tuple) and reduce in (None, "sum", "mean"):
        return function(result, reduce or "")
    keys = list(result) if isinstance(result, dict) else range(len(result) if isinstance(result, list | tuple) else 0)
    hows = dict.fromkeys(keys, reduce) if reduce in (None, "sum", "mean") else reduce
    if (
        not isinstance(result, dict | list | tuple)
        or not isinstance(hows, dict | list | tuple)
        or len(hows) != len(keys)
    ):
        raise ValueError(f'vmap: reduce must be None, "sum", "mean", or a structure like the result, got {reduce!r}')
    parts = [reduced(result[key], hows[key], function) for key in keys]
    return dict(zip(keys, parts, strict=True)) if isinstance(result, dict) else type(result)(parts)


def _result(batch: Batch, y: Any, how: str) -> Any:
    import numpy

    n = len(batch.data)
    if getattr(y, "shape", ()):
        parts = [_result(batch, item, how) for item in y.ravel().tolist()]
        array = numpy.array(parts, dtype=object if any(isinstance(bottom(x), Batch) for x in parts) else None)
        return array.reshape(y.shape) if how else numpy.moveaxis(array, 0, -1).reshape(n, *y.shape)
    if how:
        total = batch.total(y)
        return total / float(n) if how == "mean" else total
    if isinstance(y, Batch):
        return y.data * 1.0 + numpy.zeros(n)
    return [batch.total(y, i) for i in range(n)] if isinstance(y, Value) else numpy.full(n, y)
