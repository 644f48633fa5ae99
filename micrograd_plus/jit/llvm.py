"""The trace as machine code: text for LLVM, a line or a few for each operation, compiled by llvmlite.

The text is cut into functions of PART operations, as compilers take more than twice the time for twice the length. They
hand over through one array: first the inputs, then the outputs, then what a later function needs. The same text over
vectors of 8 doubles runs a batch, 8 samples at a time (`Batched`).
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from math import factorial, inf, log, nan
from threading import local

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np

from ..functions import KERNELS
from ..machinery import structures
from ..machinery.operations import OWN
from ..machinery.trees import array, tree_unflatten
from .trace import CONDITIONS, Symbol, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PART = 500  # operations in a function
MODULE = 20_000  # operations that are compiled at once, to need little memory
FAST = 8_000  # operations: up to so many, the compiler takes its time
LANES = 8  # doubles in a vector
CHUNK = 4096  # samples of a batch that one thread works on at a time

# T is the type of a number, B that of a condition, I that of a whole number, K the name of T; C(x) and J(n) are numbers
# x and n of these types; r is the result, and a, b, c are names for parts of it.
TEXTS = {
    "add": "{r} = fadd T {0}, {1}",
    "sub": "{r} = fsub T {0}, {1}",
    "mul": "{r} = fmul T {0}, {1}",
    "truediv": "{r} = fdiv T {0}, {1}",
    "neg": "{r} = fneg T {0}",
    "reciprocal": "{r} = fdiv T C(1.0), {0}",
    "times": "{r}a = fcmp une T {0}, C(0.0)\n{r}b = fcmp une T {1}, C(0.0)\n{r}c = and B {r}a, {r}b\n"
    "{r}p = fmul T {0}, {1}\n{r} = select B {r}c, T {r}p, T C(0.0)",
    "mod": "{r}a = frem T {0}, {1}\n{r}b = fmul T {r}a, {1}\n{r}c = fcmp olt T {r}b, C(0.0)\n"
    "{r}d = fadd T {r}a, {1}\n{r} = select B {r}c, T {r}d, T {r}a",
    "step": "{r}a = fcmp ogt T {0}, C(0.0)\n{r}b = select B {r}a, T C(1.0), T C(0.0)\n{r}c = fcmp uno T {0}, {0}\n"
    "{r} = select B {r}c, T {0}, T {r}b",
    "sign": "{r}a = fcmp ogt T {0}, C(0.0)\n{r}b = select B {r}a, T C(1.0), T {0}\n{r}c = fcmp olt T {0}, C(0.0)\n"
    "{r} = select B {r}c, T C(-1.0), T {r}b",
    "maximum": "{r}a = fcmp olt T {0}, {1}\n{r}b = select B {r}a, T {1}, T {0}\n{r}c = fcmp uno T {1}, {1}\n"
    "{r} = select B {r}c, T {1}, T {r}b",
    "minimum": "{r}a = fcmp ogt T {0}, {1}\n{r}b = select B {r}a, T {1}, T {0}\n{r}c = fcmp uno T {1}, {1}\n"
    "{r} = select B {r}c, T {1}, T {r}b",
    "where": "{r} = select B {0}, T {1}, T {2}",
    "and": "{r} = and B {0}, {1}",
    "or": "{r} = or B {0}, {1}",
    "not": "{r} = xor B {0}, TRUE",
    "abs": "{r} = call T @llvm.fabs.K(T {0})",
    "sqrt": "{r} = call T @llvm.sqrt.K(T {0})",
    "floor": "{r} = call T @llvm.floor.K(T {0})",
    "ceil": "{r} = call T @llvm.ceil.K(T {0})",
    "load": "{r}p = getelementptr T, ptr %m, i64 {0}\n{r} = load T, ptr {r}p, align 8",
    "load condition": "{r}p = getelementptr T, ptr %m, i64 {0}\n{r}n = load T, ptr {r}p, align 8\n"
    "{r} = fcmp one T {r}n, C(0.0)",
    "store": "%q{0} = getelementptr T, ptr %m, i64 {0}\nstore T {1}, ptr %q{0}, align 8",
    "store condition": "%q{0} = getelementptr T, ptr %m, i64 {0}\n%u{0} = uitofp B {1} to T\n"
    "store T %u{0}, ptr %q{0}, align 8",
    "add up": "%q{0} = getelementptr T, ptr %m, i64 {0}\n%s{0} = load T, ptr %q{0}, align 8\n"
    "%t{0} = fadd T %s{0}, {1}\nstore T %t{0}, ptr %q{0}, align 8",
}
TEXTS |= {sign: f"{{r}} = fcmp {name} T {{0}}, {{1}}" for sign, name in {"<": "olt", "<=": "ole", ">": "ogt"}.items()}
TEXTS |= {sign: f"{{r}} = fcmp {name} T {{0}}, {{1}}" for sign, name in {">=": "oge", "==": "oeq", "!=": "une"}.items()}
# Of a batch: the program, block by block. It reads {a} bytes of columns, and gives {b} bytes from byte {at} on.
LOOP = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define void @program(ptr %m, ptr %columns, ptr %stacks, i64 %count) {{
br label %loop
loop:
%j = phi i64 [ 0, %0 ], [ %next, %block ]
%more = icmp slt i64 %j, %count
br i1 %more, label %block, label %done
block:
%x = getelementptr [{a} x i8], ptr %columns, i64 %j
call void @llvm.memcpy.p0.p0.i64(ptr %m, ptr %x, i64 {a}, i1 false)
{calls}
%y = getelementptr [{b} x i8], ptr %stacks, i64 %j
%r = getelementptr i8, ptr %m, i64 {at}
call void @llvm.memcpy.p0.p0.i64(ptr %y, ptr %r, i64 {b}, i1 false)
%next = add i64 %j, 1
br label %loop
done:
ret void
}}
"""
INTRINSICS = "declare T @llvm.fma.K(T, T, T)\n"
INTRINSICS += "\n".join([f"declare T @llvm.{name}.K(T)" for name in ("fabs", "sqrt", "floor", "ceil")])
OTHERS = ("gamma", "lgamma")  # in C, gamma is the logarithm of what it is here, and ours of that is nearer

_raised = local()  # what Python raised while it was called from machine code, in this thread


class Program:
    """The program, called with a list of floats; `source` is its text. What raises in `math` is nan or infinite."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any, name: str) -> None:
        self._code = code = _Code(inputs, outputs)
        self.source = code.source
        places: dict[int, str] = {}
        texts, pattern = [], ""
        for y in outputs:  # what is constant, or was there before, as half of a Hessian, is not read
            is_new = type(y) is not float and y.index not in places
            if is_new:
                places[y.index] = f"y[{len(places)}]"
            pattern += "d" if is_new else "8x"
            texts.append(repr(y) if type(y) is float else places[y.index])
        plain = structure if structures.is_plain(structure) else (list, None, len(outputs))
        made = eval(
            f"lambda y: {_sliced(structures.text(plain, iter(texts)))}", {"array": array, "inf": inf, "nan": nan}
        )
        self._fill = made if plain is structure else lambda y: tree_unflatten(structure, made(y))
        self._pack = struct.Struct(f"{code.n}d").pack_into
        self._unpack = struct.Struct(pattern).unpack_from
        self._run = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(code.address)
        self._memory: list[Any] = []  # what no thread is using

    def _room(self) -> tuple[Any, int]:
        room = (ctypes.c_double * self._code.slots)(*[0.0] * self._code.n, *self._code.constants)
        return room, ctypes.addressof(room)

    def __call__(self, leaves: Sequence[float]) -> Any:
        try:
            memory = self._memory.pop()
        except IndexError:
            memory = self._room()
        room, address = memory
        self._pack(room, 0, *leaves)
        self._run(address)
        if self._code.callbacks:
            self._code.check()
        result = self._unpack(room, 8 * self._code.n)
        self._memory.append(memory)
        return self._fill(result)

    def buffer(self, leaves: Sequence[float]) -> Any:
        """As `Compiled.buffer`."""
        code, (room, address) = self._code, self._room()

        def run() -> None:
            self._run(address)
            code.check()

        buffer: Any = run
        buffer.inputs, buffer.outputs, _ = np.split(np.frombuffer(room), [code.n, code.n + code.k])
        buffer.inputs[:] = leaves
        return buffer


def _sliced(text: str) -> str:
    """The text with [*y[3:6]] for a list [y[3], y[4], y[5]], which is sooner."""

    def sliced(found: re.Match[str]) -> str:
        places = [int(digits) for digits in re.findall(r"\d+", found[0])]
        first, last = places[0], places[-1]
        return f"[*y[{first}:{last + 1}]]" if places == [*range(first, last + 1)] else found[0]

    return re.sub(r"\[y\[\d+\](, y\[\d+\])*\]", sliced, text)


class Batched:
    """The program of one sample over a batch; `mapped` says which inputs are arrays, `reduce` what each output becomes.

    It is called with numbers and arrays, whose items are inputs, for `n` samples. It returns a list with an array or a
    number for each output: "" is all of them, "sum" and "mean" add them up.
    """

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        self.reduce, self.a, self.b = reduce, sum(mapped), reduce.count("")
        self._order = sorted(range(len(reduce)), key=lambda j: bool(reduce[j]))  # stacked ones first, then sums
        first = sorted(range(len(inputs)), key=lambda i: not mapped[i])  # arrays first, then numbers
        self._code = _Code([inputs[i] for i in first], [outputs[j] for j in self._order], LANES, (self.a, self.b))
        self._constants = np.array(self._code.constants)
        self._is_mean = np.array([reduce[j] == "mean" for j in self._order[self.b :]], bool)
        self.source = self._code.source
        self._run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)(self._code.address)

    def __call__(self, leaves: list[Any], n: int) -> list[Any]:
        code, a, b, constants = self._code, self.a, self.b, self._constants
        table = np.concatenate([x.reshape(n, -1) for x in leaves if type(x) is not float], axis=1, dtype=float)
        start, stacks = np.zeros((code.slots, LANES)), np.empty((b, n))
        start[a : code.n] = np.array([x for x in leaves if type(x) is float]).reshape(-1, 1)
        start[code.n : code.n + b] = constants[:b, None]

        def chunk(at: int) -> Any:
            rows, room = table[at : at + CHUNK], start.copy() if n > CHUNK else start
            size, full = len(rows), (len(rows) - 1) // LANES
            rows = np.concatenate([rows, rows[:1].repeat((full + 1) * LANES - size, axis=0)])
            columns = rows.reshape(full + 1, LANES, a).transpose(0, 2, 1).copy()
            results, sums = np.empty((full + 1, b, LANES)), room[code.n + b : code.n + code.k]
            self._run(room.ctypes.data, columns.ctypes.data, results.ctypes.data, full)
            totals, sums[:] = sums.sum(axis=1), 0.0
            self._run(room.ctypes.data, columns[full:].ctypes.data, results[full:].ctypes.data, 1)
            code.check()
            stacks[:, at : at + size] = results.transpose(1, 0, 2).reshape(b, (full + 1) * LANES)[:, :size]
            return totals + sums[:, : size - full * LANES].sum(axis=1)  # of the last block, only some samples count

        starts = range(0, n, CHUNK)
        if len(starts) > 1:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                totals = sum(threads.map(chunk, starts))
        else:
            totals = chunk(0)
        totals = (totals + n * constants[b:]) / np.where(self._is_mean, n, 1)
        results = dict(zip(self._order, [*stacks, *totals.tolist()], strict=True))
        return [results[j] for j in range(code.k)] if b else totals.tolist()


class _Code:
    """Machine code at `address`: it takes the address of an array of `slots` numbers, of which the first `n` are given.

    The `k` that follow are the outputs; those that are `constants` are to be there before. With a `batch`, the numbers
    are vectors, and the code takes the addresses of that array, of the first `batch[0]` inputs of each block of samples
    and of the first `batch[1]` outputs of each, and how many blocks there are. Other outputs are added up.
    """

    def __init__(
        self, inputs: Sequence[Symbol], outputs: Sequence[Any], lanes: int = 1, batch: tuple[int, int] | None = None
    ) -> None:
        self.n, self.k, self.lanes = len(inputs), len(outputs), lanes
        self.callbacks: list[Any] = []
        self.functions: dict[str, str] = {}  # by name, what a module has to say of it
        self.constants = [y if type(y) is float else 0.0 for y in outputs]
        one = lanes == 1
        self.number, self.bit = ("double", "i1") if one else (f"<{lanes} x double>", f"<{lanes} x i1>")
        self.words = {"T": self.number, "B": self.bit, "I": self.number.replace("double", "i64")}
        self.words |= {"K": "f64" if one else f"v{lanes}f64", "TRUE": self.constant("i1 true")}
        self.texts = {name: self.filled(text) for name, text in TEXTS.items()}
        self.place = {x.index: i for i, x in enumerate(inputs)}  # where it is in the array
        self.stores: dict[int, list[int]] = {}
        for j, y in enumerate(outputs, self.n):
            if isinstance(y, Symbol):
                self.stores.setdefault(y.index, []).append(j)
        self.slots = self.n + self.k
        self.sums = range(self.n + batch[1], self.slots) if batch else range(0)
        symbols = needed(outputs)
        self.level = 1 if len(symbols) <= FAST else 0
        self._kept: list[Any] = []
        sources, calls, parts = [], [], range(0, len(symbols) or 1, PART)
        for first in reversed(parts[:: MODULE // PART]):  # from the end, where what has to be stored is seen
            group = [at for at in parts if first <= at < first + MODULE]
            text = "".join([self._part(at, symbols[at : at + PART]) for at in reversed(group)])
            text += _function("some", [f"call void @part{at}(ptr %m)" for at in group])
            sources.append("\n".join([self.filled(INTRINSICS), *self.functions.values(), text]))
            calls.append(f"call void inttoptr (i64 {self._compiled(sources[-1], 'some')} to ptr)(ptr %m)")
        text = _function("program", calls[::-1])
        if batch:
            size = 8 * lanes
            sizes = {"a": size * batch[0], "b": size * batch[1], "at": size * self.n}
            text = LOOP.format(calls="\n".join(calls[::-1]), **sizes)
        self.address = self._compiled(text, "program")
        self.source = "\n".join([*sources[::-1], text])

    def constant(self, text: str) -> str:
        """A constant of a type, as "double 0x...": for vectors, the same in each lane."""
        return text.partition(" ")[2] if self.lanes == 1 else f"<{', '.join([text] * self.lanes)}>"

    def literal(self, x: float) -> str:
        return self.constant(f"double 0x{struct.unpack('Q', struct.pack('d', x))[0]:016X}")

    def filled(self, text: str) -> str:
        """A text of the table, for numbers of this type."""
        text = re.sub(r"\bC\(([^)]*)\)", lambda found: self.literal(float(found[1])), text)
        text = re.sub(r"\bJ\(([^)]*)\)", lambda found: self.constant(f"i64 {found[1]}"), text)
        return re.sub(r"\b(T|B|I|K|TRUE)\b", lambda word: self.words[word[1]], text)

    def _part(self, at: int, symbols: list[Symbol]) -> str:
        """The function of some operations."""
        lines: list[str] = []
        here: dict[int, str] = {}

        def operand(x: Any) -> str:
            if type(x) is float:
                return self.literal(x)
            if x.index not in here:
                here[x.index] = f"%v{x.index}"
                if x.index not in self.place:  # an earlier function makes it
                    self.place[x.index] = self.slots
                    self.stores.setdefault(x.index, []).append(self.slots)
                    self.slots += 1
                load = "load condition" if x.operation in CONDITIONS else "load"
                lines.append(self.texts[load].format(self.place[x.index], r=here[x.index]))
            return here[x.index]

        for symbol in symbols:
            if symbol.operation:
                operands = [operand(x) for x in symbol.operands]
                here[symbol.index] = f"%v{symbol.index}"
                text = self.texts.get(symbol.operation) or self._call(symbol.operation, len(operands))
                lines.append(text.format(*operands, r=here[symbol.index]))
            for place in self.stores.get(symbol.index, []):
                store = "store condition" if symbol.operation in CONDITIONS else "store"
                store = "add up" if place in self.sums else store
                lines.append(self.texts[store].format(place, operand(symbol)))
        return _function(f"part{at}", lines)

    # Calls of functions -----------------------------------------------------------------------------------------------

    def _call(self, operation: str, arity: int) -> str:
        """The text of an operation that is not in the table: a call of the C library's function, or of Python's."""
        theirs = hasattr(math, operation) and operation not in (*OWN, *OTHERS)
        address = (theirs and llvm.address_of_symbol(operation)) or self._callback(operation, arity)
        name = f"inttoptr (i64 {address} to ptr)"  # a call by name would take three times as long to compile
        if self.lanes > 1:
            texts = VECTORS.get(operation) or {operation: _lane_by_lane(operation, arity, name)}
            self.functions |= {name: self.filled(text) for name, text in texts.items()}
            name = f"@v.{operation}"
        operands = ", ".join([f"{self.number} {{{i}}}" for i in range(arity)])
        self.texts[operation] = f"{{r}} = call {self.number} {name}({operands})"
        return self.texts[operation]

    def check(self) -> None:
        """Raise what Python raised in a callback."""
        if errors := vars(_raised).pop("errors", None):
            raise errors[0]

    def _callback(self, operation: str, arity: int) -> int:
        """The address of a function that calls Python's."""
        kernel = KERNELS[operation]

        def call(*x: float) -> float:
            try:
                return float(kernel(*x))
            except BaseException as error:  # ctypes would print it, and go on
                vars(_raised).setdefault("errors", []).append(error)
                return 0.0

        function = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * arity)(call)
        self.callbacks.append(function)
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def _compiled(self, text: str, name: str) -> int:
        engine, module = _engine(text, self.level)
        engine.finalize_object()
        self._kept.append(engine)
        address = int(engine.get_function_address(name))
        engine.remove_module(module)  # the machine code stays, what it was made from takes ten times the room
        module.close()
        return address


def _function(name: str, lines: list[str]) -> str:
    return f"\ndefine void @{name}(ptr %m) {{\n" + "\n".join(lines) + "\nret void\n}\n"


def _engine(text: str, level: int = 0) -> tuple[Any, Any]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=level, jit=True)
    module = llvm.parse_assembly(text)
    return llvm.create_mcjit_compiler(module, machine), module


_engine("")  # from then on LLVM knows the functions of the C library


# Functions of vectors -------------------------------------------------------------------------------------------------


def _lane_by_lane(operation: str, arity: int, one: str) -> str:
    given, lines = ", ".join([f"T %x{i}" for i in range(arity)]), ["%y0 = fadd T zeroinitializer, zeroinitializer"]
    for lane in range(LANES):
        lines += [f"%a{lane}{i} = extractelement T %x{i}, i64 {lane}" for i in range(arity)]
        numbers = ", ".join([f"double %a{lane}{i}" for i in range(arity)])
        lines.append(f"%b{lane} = call double {one}({numbers})")
        lines.append(f"%y{lane + 1} = insertelement T %y{lane}, double %b{lane}, i64 {lane}")
    return f"define internal T @v.{operation}({given}) {{\n" + "\n".join(lines) + f"\nret T %y{LANES}\n}}\n"


def _exponential(name: str, result: str) -> str:
    """exp(x) and expm1(x): with x = n · log 2 + r, a polynomial of r gives q = expm1(r), and then 2ⁿ(1 + q)."""
    lines = [
        "%low = fcmp olt T %x, C(-746.0)\n%x1 = select B %low, T C(-746.0), T %x",
        "%high = fcmp ogt T %x1, C(710.0)\n%x2 = select B %high, T C(710.0), T %x1",
        f"%n0 = call T @llvm.fma.K(T %x2, T C({1 / log(2)!r}), T C(6755399441055744.0))",  # a whole number
        "%n = fsub T %n0, C(6755399441055744.0)",
        "%r0 = call T @llvm.fma.K(T %n, T C(-0.6931471803691238), T %x2)",
        "%r = call T @llvm.fma.K(T %n, T C(-1.9082149292705877e-10), T %r0)",
        f"%h13 = fadd T zeroinitializer, C({1 / factorial(13)!r})",
        *[f"%h{i} = call T @llvm.fma.K(T %h{i + 1}, T %r, T C({1 / factorial(i)!r}))" for i in range(12, 0, -1)],
        "%q = fmul T %h1, %r\n%one = fadd T %q, C(1.0)",
        "%bits = bitcast T %n0 to I\n%k = sub I %bits, J(4843621399236968448)",
        "%k1 = ashr I %k, J(1)\n%k2 = sub I %k, %k1",
        *[f"%e{i} = add I %k{i}, J(1023)\n%f{i} = shl I %e{i}, J(52)\n%s{i} = bitcast I %f{i} to T" for i in (1, 2)],
        "%half = fmul T %one, %s1\n%power = fmul T %half, %s2",
        "%scale = fmul T %s1, %s2\n%scale1 = fsub T %scale, C(1.0)",
        "%less = call T @llvm.fma.K(T %scale, T %q, T %scale1)",
        "%large = fcmp ogt T %x, C(50.0)\n%small = select B %large, T %power, T %less",
    ]
    return f"define internal T @v.{name}(T %x) {{\n" + "\n".join(lines) + f"\nret T %{result}\n}}\n"


_EXPM1 = {"expm1": _exponential("expm1", "small")}
_TANH = """define internal T @v.tanh(T %x) {
%a = call T @llvm.fabs.K(T %x)\n%b = fmul T %a, C(-2.0)\n%e = call T @v.expm1(T %b)\n%m = fneg T %e
%d = fadd T %e, C(2.0)\n%t = fdiv T %m, %d\n%n = fcmp olt T %x, zeroinitializer\n%u = fneg T %t
%y = select B %n, T %u, T %t\nret T %y
}
"""
VECTORS = {
    "exp": {"exp": _exponential("exp", "power")},
    "expm1": _EXPM1,
    "tanh": {**_EXPM1, "tanh": _TANH},
}
