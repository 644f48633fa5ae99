"""A virtual machine for recorded programs: operations are numbers in an array, and one loop carries them out.

The numbers a program computes with are in an array of floats, the memory; the program is in an array of whole numbers,
the code. If w and x are at 0 and 1 of the memory, and 2 is the number of `mul`, then

    2, 6,  5, 0, 1,  6, 5, 1        says        t5 = mul(w, x)
                                                t6 = mul(t5, x)

an instruction, how many numbers belong to it and to its repetitions, and these: where the result goes, and where the
operands are. The loop that reads the code knows nothing of the program. It is written from the templates of the rules,
compiled by numba once, and kept on disk: after that, to compile a program is only to write its code.

There are two such loops. `single` is for one evaluation. `batch` is for many at once: it gives to each number of the
program a lane in the memory, a short row with a place for each of some elements of the batch, and carries out an
instruction on whole lanes. So the time to read an instruction is shared, the processor computes several elements by
one operation, and lanes are short enough for all of them to stay in its cache. What does not depend on the batch needs
no lane: `single` computes it before.

To import this file takes NumPy and numba, the extra `fast`; the ImportError says so.
"""

from __future__ import annotations

import math
import os
from functools import cache, cached_property, partial
from queue import SimpleQueue
from struct import Struct
from threading import Thread

from .instructions import FORMS, QUICK, SWAPPED, Interpreter, fuse, np, numba, schedule, spread, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Array = Any

NUMBERS = {float, int, bool}  # whatever else is an operand is a symbol
WIDTHS = 32, 256  # the least and the most numbers in a lane
LANES = 2**18  # bytes for all lanes, unless these are too narrow then: a core has a cache of this size
SHARE = 2_000_000  # another thread helps with so many operations on numbers, which take some 0.3 ms
SLOW = 30  # those that are not among the quick ones count as so many


def compiled(tape: Iterable[Any], inputs: Sequence[Any], outputs: Sequence[Any], reduce: Sequence[str]) -> Machine:
    """A machine that computes `outputs` from `inputs`.

    `tape` holds the symbols that the outputs are made of, in an order in which they can run; `outputs` are symbols and
    numbers, and `reduce` says of each what becomes of its batch: "stack", "sum" or "mean".

    >>> from micrograd_plus.symbols import Trace
    >>> trace = Trace(exact=False)
    >>> w, x = trace.input("w"), trace.input("x")
    >>> y = w * x
    >>> machine = compiled([y, y * x], [w, x], [y * x], ["stack"])
    >>> machine([2.0, 3.0])
    [18.0]
    >>> print(machine.source)
    t3 = mul(w, x)
    y0 = mul(t3, x)
    """
    return Machine(tape, inputs, outputs, reduce)


class Machine:
    """A program for the interpreter; `compiled` makes it.

    It takes a list with a number for each input, and returns a list with one for each output. There may be NumPy arrays
    among them, which broadcast; then an output that depends on an array is one too, if it is to be stacked.
    """

    def __init__(
        self, tape: Iterable[Any], inputs: Sequence[Any], outputs: Sequence[Any], reduce: Sequence[str]
    ) -> None:
        self._interpreter = Interpreter.latest()
        self._labels = [x.label or x.operands[0] for x in inputs]
        self._reduce = np.array(reduce, "U5")
        tape = [symbol for symbol in tape if symbol.operation]
        used = [x for symbol in tape for x in symbol.operands]
        used += outputs
        # In here everything has a number: first the inputs, then what the operations make, then the constants.
        first, n = len(inputs), len(tape)
        constants = np.array([x for x in used if type(x) in NUMBERS], float)
        _, once, of_constants = np.unique(constants.view(np.int64), return_index=True, return_inverse=True)
        of_symbols = np.array([x.index for x in (*inputs, *tape)], np.int64)
        by_index = np.zeros(1 + of_symbols.max(initial=0), np.int32)
        by_index[of_symbols] = np.arange(first + n)
        indices = np.fromiter([-1 if type(x) in NUMBERS else x.index for x in used], np.int64, len(used))
        numbers = by_index[indices]
        numbers[indices < 0] = first + n + of_constants
        self._first, self._size, self._constants = first, first + n + len(once), constants[once]
        self._outputs = numbers[len(used) - len(outputs) :]
        self._uses = np.bincount(numbers, minlength=self._size)

        known = self._interpreter.numbers | {sign: self._interpreter.numbers[other] for sign, other in SWAPPED.items()}
        self._operations = np.array([known[symbol.operation] for symbol in tape], np.int32)
        self._rows = np.full((n, 4), -1, np.int32)
        self._rows[:, 0] = np.arange(first, first + n)
        exists = np.arange(3) < self._interpreter.tables[self._operations, :1]
        self._rows[:, 1:][exists] = numbers[: len(used) - len(outputs)]
        swapped = np.array([symbol.operation in SWAPPED for symbol in tape], bool)
        self._rows[swapped, 1:3] = self._rows[swapped, 2:0:-1]

        self._pack = Struct(f"{self._first}d").pack_into
        self._batches: dict[tuple[int, ...], _Batch] = {}

    @cached_property
    def _single(self) -> _Code:
        nowhere = np.zeros(self._size, np.bool_)
        return self._assembled(*self._fused(self._operations, self._rows, nowhere), self._outputs)

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        if not {*map(type, leaves)} <= {float}:
            arrays = tuple([i for i, x in enumerate(leaves) if type(x) is not float and getattr(x, "shape", None)])
            if arrays:
                if arrays not in self._batches:
                    self._batches[arrays] = _Batch(self, arrays)
                return self._batches[arrays](leaves)
        memory = self._single.memory.copy()
        self._pack(memory, 0, *leaves)
        self._interpreter.single(self._single.code, memory)
        return memory[self._single.results].tolist()  # type: ignore[no-any-return]

    def buffer(self) -> Buffer:
        """The program for single evaluations, from one array into another."""
        memory = self._single.memory.copy()
        buffer = Buffer(self._interpreter.single, self._single.code, memory)
        buffer.inputs, buffer.outputs = memory[: self._first], memory[self._single.results]
        return buffer

    @property
    def source(self) -> str:
        """The instructions for one evaluation, one a line."""
        known = [*self._labels, *map(repr, self._constants.tolist()), *[f"y{k}" for k in range(len(self._outputs))]]
        names = known + [f"t{place}" for place in range(len(known), len(self._single.memory))]
        lines, code, i = [], self._single.code.tolist(), 0
        while i < len(code):
            operation, end = self._interpreter.names[code[i]], i + 2 + code[i + 1]
            arity, words, *_ = self._interpreter.tables[self._interpreter.numbers[operation]].tolist()
            i += 2
            while i < end:
                d, *operands = [names[place] for place in code[i : i + 1 + arity]]
                form = FORMS.get(operation) or f"{operation}({', '.join(operands)})"
                lines.append(f"{d} = {form.format(d=d, **dict(zip('xyz', operands, strict=False)))}")
                i += words
        return "\n".join(lines)

    def _fused(self, operations: Array, rows: Array, has_lane: Array) -> tuple[Array, Array]:
        operations, rows, numbers = operations.copy(), rows.copy(), self._interpreter.numbers
        fused = numbers["add"], numbers["mul"], numbers["multiply_add"], self._first
        fuse(operations, rows, self._uses, has_lane, fused)
        return operations, rows

    def _places(self, more: int) -> Array:
        """Where what is in the memory: the inputs and the constants first, the rest nowhere yet, and so `more`."""
        places = np.full(self._size + more, -1, np.int32)
        places[: self._first] = np.arange(self._first)
        places[self._size - len(self._constants) : self._size] = self._first + np.arange(len(self._constants))
        return places

    def _written(self, operations: Array, rows: Array, has_lane: Array, places: Array, size: int, width: int) -> Any:
        numbers = self._interpreter.numbers
        fused = numbers["multiply_add"], numbers["accumulate"]
        return write(operations, rows, has_lane, places, size, width, self._interpreter.tables, fused)

    def _assembled(self, operations: Array, rows: Array, results: Array) -> _Code:
        """Code for `single` that computes these results."""
        start = self._first + len(self._constants)
        stop = start + len(results)
        places = self._places(len(results))
        places[self._size :] = np.arange(start, stop)
        # A result goes to its place at once, or is copied there if it is an input, a constant, or a result before.
        copied = np.ones(len(results), np.bool_)
        copied[np.unique(results, return_index=True)[1]] = False
        copied |= places[results] >= 0
        places[results[~copied]] = np.arange(start, stop)[~copied]
        copies = np.full((copied.sum(), 4), -1)
        copies[:, 0], copies[:, 1] = self._size + np.nonzero(copied)[0], results[copied]
        rows = np.concatenate([rows[operations >= 0], copies], dtype=np.int32)
        copy = np.full(len(copies), self._interpreter.numbers["copy"])
        operations = np.concatenate([operations[operations >= 0], copy], dtype=np.int32)
        if len(rows):
            order = schedule(operations, rows, len(places))
            operations, rows = operations[order], rows[order]
        code, size = self._written(operations, rows, np.zeros(len(places), np.bool_), places, stop, 1)
        memory = np.zeros(size)
        memory[self._first : start] = self._constants
        return _Code(code, memory, slice(start, stop))


class _Code:
    """Code for `single`, the memory with the constants in it, and where the results will be."""

    def __init__(self, code: Array, memory: Array, results: slice) -> None:
        self.code, self.memory, self.results = code, memory, results


class Buffer(partial[None]):
    """Computes the array `outputs` from the array `inputs` when it is called; not by two threads at once.

    >>> from micrograd_plus.symbols import Trace
    >>> x = Trace(exact=False).input("x")
    >>> run = compiled([x * 2.0], [x], [x * 2.0], ["stack"]).buffer()
    >>> run.inputs[0] = 3.0
    >>> run()
    >>> run.outputs.tolist()
    [6.0]
    """

    inputs: Array
    outputs: Array


class _Batch:
    """What a machine does if the inputs numbered `arrays` are arrays."""

    def __init__(self, machine: Machine, arrays: tuple[int, ...]) -> None:
        numbers, first, size = machine._interpreter.numbers, machine._first, machine._size
        operations, rows, outputs = machine._operations.copy(), machine._rows.copy(), machine._outputs
        has_lane = np.zeros(size + max(len(arrays), len(outputs)), np.bool_)
        has_lane[list(arrays)] = True
        spread(rows, has_lane)
        in_lanes = has_lane[rows[:, 0]]
        is_stacked = machine._reduce == "stack"
        self.machine, self.arrays = machine, arrays
        self.alike = np.nonzero(~has_lane[outputs])[0]
        self.stacked = np.nonzero(has_lane[outputs] & is_stacked)[0]
        self.totals = np.nonzero(has_lane[outputs] & ~is_stacked)[0]

        # A total of products that nothing else uses is added up without these.
        x = outputs[self.totals]
        is_product = (x >= first) & (machine._uses[x] == 1)
        k = x[is_product] - first
        is_product[is_product] = (operations[k] == numbers["mul"]) & has_lane[rows[k, 1:3]].all(axis=1)
        k = x[is_product] - first
        operations[k], rows[k, 0] = numbers["total_product"], size + np.nonzero(is_product)[0]

        def transfers(name: str, when: Array, d: Array, x: Array) -> Array:
            return np.column_stack(np.broadcast_arrays(when, numbers[name], d, x, -1, -1))

        # Operation k comes at the time 2 * k; the number of row i is size + i.
        used = np.nonzero(machine._uses[list(arrays)])[0]
        stored, added = outputs[self.stacked], np.nonzero(~is_product)[0]
        all_transfers = [
            transfers("load", -2 * first, np.array(arrays)[used], size + used),
            transfers("store", 2 * (stored - first) + 1, size + np.arange(len(stored)), stored),
            transfers("total", 2 * (x[added] - first) + 1, size + added, x[added]),
        ]
        operations, rows = machine._fused(operations, rows, has_lane)
        swapped = np.isin(operations, [numbers[name] for name in ("add", "mul", "multiply_add")])
        swapped &= has_lane[rows[:, 1]] & ~has_lane[rows[:, 2]]
        rows[swapped, 1:3] = rows[swapped, 2:0:-1]  # so that the one in MIXED is meant
        needed = np.unique(rows[in_lanes & (operations >= 0), 1:])
        needed = needed[(needed >= first) & (needed < first + len(rows)) & ~has_lane[needed]]
        results = np.concatenate([needed, outputs[self.alike]])
        self.shared, self.n_needed = machine._assembled(operations[~in_lanes], rows[~in_lanes], results), len(needed)

        in_lanes &= operations >= 0
        own = np.column_stack([2 * np.nonzero(in_lanes)[0], operations[in_lanes], rows[in_lanes]])
        everything = np.concatenate([own, *all_transfers], dtype=np.int32)
        everything = everything[np.argsort(everything[:, 0], kind="stable")]
        operations, rows = everything[:, 1].copy(), everything[:, 2:].copy()
        places = machine._places(len(has_lane) - size)
        places[size:] = np.arange(len(has_lane) - size)
        places[list(arrays)] = -1
        places[needed] = self.shared.results.start + np.arange(len(needed))
        self.start = -(-len(self.shared.memory) // 8) * 8  # of the lanes: the processor takes 64 bytes at once
        _, end = machine._written(operations, rows, has_lane, places.copy(), self.start, 1)
        is_slow = (operations >= len(QUICK)) & (operations < numbers["load"])
        self.lanes, self.work = end - self.start, len(rows) + SLOW * int(is_slow.sum())
        self.width = min(max(LANES // 8 // max(self.lanes, 1) // 8 * 8, WIDTHS[0]), WIDTHS[1])
        self.code, _ = machine._written(operations, rows, has_lane, places, self.start, self.width)
        self.order = np.argsort(np.concatenate([self.totals, self.alike, self.stacked])).tolist()

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        interpreter, reduce = self.machine._interpreter, self.machine._reduce
        leaves = list(leaves)
        shape = np.broadcast_shapes(*[leaves[i].shape for i in self.arrays])
        n = math.prod(shape)
        inputs, outputs = np.empty((len(self.arrays), n)), np.empty((len(self.stacked), n))
        for row, i in zip(inputs, self.arrays, strict=True):
            row.reshape(shape)[...] = leaves[i]
            leaves[i] = 0.0
        memory = self.shared.memory.copy()
        self.machine._pack(memory, 0, *leaves)
        interpreter.single(self.shared.code, memory)
        n_threads = min(numba.config.NUMBA_NUM_THREADS, 1 + n * self.work // SHARE)
        totals = np.zeros((n_threads, len(self.totals)))

        def run(k: int) -> None:
            lanes = _aligned(self.start + self.lanes * self.width)
            lanes[: len(memory)] = memory
            ends = n * k // n_threads, n * (k + 1) // n_threads
            interpreter.batch(self.code, lanes, self.start, inputs, outputs, totals[k], self.width, *ends)

        _at_once(run, n_threads)
        total = totals.sum(axis=0)
        total[reduce[self.totals] == "mean"] /= n or math.nan
        alike = memory[self.shared.results][self.n_needed :]
        alike[reduce[self.alike] == "sum"] *= n
        results = [*total.tolist(), *alike.tolist(), *[row.reshape(shape) for row in outputs]]
        return [results[k] for k in self.order]


def _aligned(n: int) -> Array:
    """An array that begins where the processor begins to take 64 bytes."""
    memory = np.empty(n + 8)
    start = -(memory.__array_interface__["data"][0] // 8) % 8
    return memory[start : start + n]


def _at_once(run: Any, n: int) -> None:
    """Call run(0), ..., run(n - 1), each in a thread of its own."""
    done: SimpleQueue[Any] = SimpleQueue()
    for k in range(1, n):
        _helpers(numba.config.NUMBA_NUM_THREADS - 1).put((run, k, done))
    run(0)
    for _ in range(1, n):
        error = done.get()
        if error:
            raise error


@cache
def _helpers(n: int) -> SimpleQueue[Any]:
    """A queue of calls, and n threads that make them."""
    queue: SimpleQueue[Any] = SimpleQueue()

    def help() -> None:
        while True:
            run, k, done = queue.get()
            try:
                done.put(run(k))
            except BaseException as error:
                done.put(error)

    for _ in range(n):
        Thread(target=help, daemon=True).start()
    return queue


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # a new process has none of the threads of the old one
