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
from math import factorial, log
from threading import local

import llvmlite.binding as llvm  # type: ignore[import-untyped]

from ..functions import KERNELS
from ..machinery.operations import OWN
from .compiled import filler
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

# T is the type of a number, B that of a condition, r the result, and a, b, c are names for parts of it.
TEXTS = {
    "add": "{r} = fadd T {0}, {1}",
    "sub": "{r} = fsub T {0}, {1}",
    "mul": "{r} = fmul T {0}, {1}",
    "truediv": "{r} = fdiv T {0}, {1}",
    "neg": "{r} = fneg T {0}",
    "reciprocal": "{r} = fdiv T ONE, {0}",
    "times": "{r}a = fcmp une T {0}, ZERO\n{r}b = fcmp une T {1}, ZERO\n{r}c = and B {r}a, {r}b\n"
    "{r}p = fmul T {0}, {1}\n{r} = select B {r}c, T {r}p, T ZERO",
    "mod": "{r}a = frem T {0}, {1}\n{r}b = fmul T {r}a, {1}\n{r}c = fcmp olt T {r}b, ZERO\n"
    "{r}d = fadd T {r}a, {1}\n{r} = select B {r}c, T {r}d, T {r}a",
    "step": "{r}a = fcmp ogt T {0}, ZERO\n{r}b = select B {r}a, T ONE, T ZERO\n{r}c = fcmp uno T {0}, {0}\n"
    "{r} = select B {r}c, T {0}, T {r}b",
    "sign": "{r}a = fcmp ogt T {0}, ZERO\n{r}b = select B {r}a, T ONE, T {0}\n{r}c = fcmp olt T {0}, ZERO\n"
    "{r} = select B {r}c, T MINUS, T {r}b",
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
}
TEXTS |= {sign: f"{{r}} = fcmp {name} T {{0}}, {{1}}" for sign, name in {"<": "olt", "<=": "ole", ">": "ogt"}.items()}
TEXTS |= {sign: f"{{r}} = fcmp {name} T {{0}}, {{1}}" for sign, name in {">=": "oge", "==": "oeq", "!=": "une"}.items()}
INTRINSICS = "declare <8 x double> @llvm.fma.v8f64(<8 x double>, <8 x double>, <8 x double>)\n"
for _name in ("fabs", "sqrt", "floor", "ceil"):
    INTRINSICS += f"declare double @llvm.{_name}.f64(double)\ndeclare <8 x double> @llvm.{_name}.v8f64(<8 x double>)\n"

OTHERS = ("gamma", "lgamma")  # in C, gamma is the logarithm of what it is here, and ours of that is nearer

_raised = local()  # what Python raised while it was called from machine code, in this thread


def _raise() -> None:
    errors = vars(_raised).pop("errors", None)
    if errors:
        raise errors[0]


class Program:
    """The program, called with a list of floats; `source` is its text. What raises in `math` is nan or infinite."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any, name: str) -> None:
        self._code = code = _Code(inputs, outputs, 1)
        self.source = code.source
        places: dict[int, str] = {}
        texts, pattern = [], ""
        for y in outputs:  # what is constant, or was there before, as half of a Hessian, is not read
            is_new = type(y) is not float and y.index not in places
            if is_new:
                places[y.index] = f"y[{len(places)}]"
            pattern += "d" if is_new else "8x"
            texts.append(repr(y) if type(y) is float else places[y.index])
        self._fill = filler(structure, texts=iter(texts))
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
            _raise()
        result = self._unpack(room, 8 * self._code.n)
        self._memory.append(memory)
        return self._fill(result)

    def buffer(self, leaves: Sequence[float]) -> Any:
        """As `Compiled.buffer`."""
        return _Buffer(self._code, self._room(), leaves, self._run)


class _Buffer:
    def __init__(self, code: _Code, memory: Any, leaves: Sequence[float], run: Any) -> None:
        import numpy

        room, self._address = memory
        self._run, self._code = run, code
        flat = numpy.frombuffer(room)
        self.inputs, self.outputs = flat[: code.n], flat[code.n : code.n + code.k]
        self.inputs[:] = leaves

    def __call__(self) -> None:
        self._run(self._address)
        if self._code.callbacks:
            _raise()


class Batched:
    """The program of one sample over a batch; `mapped` says which inputs are arrays, `reduce` what each output becomes.

    It is called with numbers and arrays, whose items are inputs, for `n` samples. It returns a list with an array or a
    number for each output: "" is all of them, "sum" and "mean" add them up.
    """

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        self.mapped, self.reduce = mapped, reduce
        self._singles = [i for i, is_mapped in enumerate(mapped) if not is_mapped]
        self._means = [how == "mean" for how in reduce if how]
        self._code = code = _Code(inputs, outputs, LANES, self._loop(len(inputs), len(outputs)))
        self.source = code.source
        kinds = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2
        self._run = ctypes.CFUNCTYPE(None, *kinds)(code.address)

    def _loop(self, n: int, k: int) -> str:
        """From columns of inputs to columns of outputs, and to sums, 8 samples at a time."""
        lines, places = [], [i for i, is_mapped in enumerate(self.mapped) if is_mapped]
        counts = {"": 0, "s": 0}

        def copied(name: str, source: str, target: str) -> None:
            lines.extend([f"%{name} = load V, ptr {source}, align 8", f"store V %{name}, ptr {target}, align 8"])

        def place(name: str, base: str, column: int) -> str:
            lines.append(f"%{name}o = mul i64 %stride, {column}")
            lines.append(f"%{name}i = add i64 %{name}o, %at")
            lines.append(f"%{name} = getelementptr double, ptr {base}, i64 %{name}i")
            return f"%{name}"

        for column, i in enumerate(places):
            lines.append(f"%m{i} = getelementptr V, ptr %m, i64 {i}")
            copied(f"x{i}", place(f"c{i}", "%columns", column), f"%m{i}")
        lines.append("call void @program(ptr %m)")
        for j, how in enumerate(self.reduce):
            lines.append(f"%r{j} = getelementptr V, ptr %m, i64 {n + j}")
            if how:
                lines += [
                    f"%s{j} = getelementptr V, ptr %sums, i64 {counts['s']}",
                    f"%y{j} = load V, ptr %r{j}, align 8",
                ]
                lines += [f"%t{j} = load V, ptr %s{j}, align 8", f"%u{j} = fadd V %t{j}, %y{j}"]
                lines.append(f"store V %u{j}, ptr %s{j}, align 8")
                counts["s"] += 1
            else:
                copied(f"y{j}", f"%r{j}", place(f"d{j}", "%stacks", counts[""]))
                counts[""] += 1
        head = "define void @batch(ptr %m, ptr %columns, ptr %stacks, ptr %sums, i64 %count, i64 %stride) {\n"
        head += "br label %loop\nloop:\n%j = phi i64 [ 0, %0 ], [ %next, %loop ]\n%at = mul i64 %j, 8\n"
        tail = "\n%next = add i64 %j, 1\n%more = icmp slt i64 %next, %count\nbr i1 %more, label %loop, label %done"
        return (head + "\n".join(lines) + tail + "\ndone:\nret void\n}").replace("V", f"<{LANES} x double>")

    def __call__(self, leaves: list[Any], n: int) -> list[Any]:
        import numpy

        code, stacked = self._code, [j for j, how in enumerate(self.reduce) if not how]
        arrays = [column for x in leaves if type(x) is not float for column in x.reshape(n, -1).T]
        start = numpy.zeros((code.slots, LANES))
        start[code.n : code.n + code.k] = numpy.reshape(code.constants, (-1, 1))
        numbers = [x for x in leaves if type(x) is float]
        start[self._singles] = numpy.frombuffer(struct.pack(f"{len(numbers)}d", *numbers)).reshape(-1, 1)
        stacks = numpy.empty((len(stacked), n))

        def chunk(at: int) -> Any:
            size = min(CHUNK, n - at)
            room, whole = start.copy() if n > CHUNK else start, -(-size // LANES) * LANES
            columns = numpy.empty((len(arrays), whole))
            for row, x in zip(columns, arrays, strict=True):
                row[:size] = x[at : at + size]
                row[size:] = x[at]
            results = numpy.empty((len(stacked), whole))
            sums = numpy.zeros((code.k - len(stacked), LANES))
            pointers = [room.ctypes.data, columns.ctypes.data, results.ctypes.data]
            rest = whole - size
            full = whole // LANES - (rest > 0)
            if full:
                self._run(*pointers, sums.ctypes.data, full, whole)
            if rest:  # the lanes beyond the last sample are left out of the sums
                last, shift = numpy.zeros_like(sums), 8 * LANES * full
                self._run(pointers[0], pointers[1] + shift, pointers[2] + shift, last.ctypes.data, 1, whole)
                sums[:, : LANES - rest] += last[:, : LANES - rest]
            if code.callbacks:
                _raise()
            stacks[:, at : at + size] = results[:, :size]
            return sums.sum(axis=1)

        starts = range(0, n, CHUNK)
        if len(starts) > 1:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                totals = sum(threads.map(chunk, starts))
        else:
            totals = chunk(0)
        totals = (totals / numpy.where(self._means, n, 1)).tolist()
        rows, numbers = iter(stacks), iter(totals)
        return [next(numbers) if how else next(rows) for how in self.reduce] if stacked else totals


class _Code:
    """Machine code at `address`: it takes the address of an array of `slots` numbers, of which the first `n` are given.

    The `k` that follow are the outputs; those that are `constants` are to be there before.
    """

    def __init__(self, inputs: Sequence[Symbol], outputs: Sequence[Any], lanes: int, loop: str = "") -> None:
        self.n, self.k, self.lanes = len(inputs), len(outputs), lanes
        self.callbacks: list[Any] = []
        self.called: dict[str, str] = {}  # by name, what a module has to say of it
        self.constants = [y if type(y) is float else 0.0 for y in outputs]
        self.number, self.bit = ("double", "i1") if lanes == 1 else (f"<{lanes} x double>", f"<{lanes} x i1>")
        words = {
            "T": self.number,
            "B": self.bit,
            "K": "f64" if lanes == 1 else f"v{lanes}f64",
            "ZERO": self.constant(0.0),
        }
        words |= {"ONE": self.constant(1.0), "MINUS": self.constant(-1.0)}
        words["TRUE"] = "true" if lanes == 1 else f"<{', '.join(['i1 true'] * lanes)}>"
        self.words = words
        self.texts = {name: self.filled(text) for name, text in TEXTS.items()}
        lines = [symbol for symbol in needed(outputs) if symbol.operation]
        parts = [lines[i : i + PART] for i in range(0, len(lines), PART)] or [[]]
        self._places(inputs, outputs, parts)
        self.level = 1 if len(lines) <= FAST else 0
        sources, calls, size = [], [], MODULE // PART
        self._kept: list[Any] = []
        for i in range(0, len(parts), size):
            names = [f"part{j}" for j in range(i, min(i + size, len(parts)))]
            text = "\n".join([self._part(name, part) for name, part in zip(names, parts[i : i + size], strict=True)])
            called = [f"call void @{name}(ptr %m)" for name in names]
            if len(parts) > size:
                text += self._function(f"some{i}", called)
                sources.append(self._prelude() + text)
                address = self._compiled(sources[-1], f"some{i}")
                calls.append(f"call void inttoptr (i64 {address} to ptr)(ptr %m)")
            else:
                sources, calls = [text], called
        text = (sources.pop() if len(parts) <= size else "") + self._function("program", calls) + loop
        sources.append(self._prelude() + text)
        self.address = self._compiled(sources[-1], "batch" if loop else "program")
        self.source = "\n".join(sources)

    def constant(self, x: float) -> str:
        text = f"0x{struct.unpack('Q', struct.pack('d', x))[0]:016X}"
        return text if self.lanes == 1 else f"<{', '.join([f'double {text}'] * self.lanes)}>"

    def filled(self, text: str) -> str:
        """A text of the table, for numbers of this type."""
        return re.sub(r"\b(T|B|K|ZERO|ONE|MINUS|TRUE)\b", lambda word: self.words[word[1]], text)

    def _places(self, inputs: Sequence[Symbol], outputs: Sequence[Any], parts: list[list[Symbol]]) -> None:
        """Where in the array everything is that does not stay in its function."""
        self.place = {x.index: i for i, x in enumerate(inputs)}
        self.stores: dict[int, list[int]] = {}
        for j, y in enumerate(outputs):
            if isinstance(y, Symbol):
                self.stores.setdefault(y.index, []).append(self.n + j)
        home = {symbol.index: i for i, part in enumerate(parts) for symbol in part}
        self.copied = [(x.index, place) for x in inputs for place in self.stores.get(x.index, [])]
        self.slots = self.n + self.k
        for i, part in enumerate(parts):
            for symbol in part:
                for x in symbol.operands:
                    if isinstance(x, Symbol) and x.index not in self.place and home[x.index] < i:
                        if x.index not in self.stores:
                            self.stores[x.index] = [self.slots]
                            self.slots += 1
                        self.place[x.index] = self.stores[x.index][0]

    def _function(self, name: str, lines: list[str]) -> str:
        return f"\ndefine void @{name}(ptr %m) {{\n" + "\n".join(lines) + "\nret void\n}\n"

    def _part(self, name: str, symbols: list[Symbol]) -> str:
        lines: list[str] = []
        here: dict[int, str] = {}
        number, texts = self.number, self.texts

        def load(x: Symbol) -> str:
            i = x.index
            here[i] = f"%v{i}"
            lines.append(f"%p{i} = getelementptr {number}, ptr %m, i64 {self.place[i]}")
            lines.append(f"%v{i} = load {number}, ptr %p{i}, align 8")
            if x.operation in CONDITIONS:
                lines.append(f"%b{i} = fcmp one {number} %v{i}, {self.words['ZERO']}")
                here[i] = f"%b{i}"
            return here[i]

        def store(i: int, place: int, text: str) -> None:
            lines.append(f"%q{place} = getelementptr {number}, ptr %m, i64 {place}")
            lines.append(f"store {number} {text}, ptr %q{place}, align 8")

        for symbol in symbols:
            texted = []
            for x in symbol.operands:
                if type(x) is float:
                    texted.append(self.constant(x))
                else:
                    texted.append(here.get(x.index) or load(x))
            i = symbol.index
            here[i] = f"%v{i}"
            operation = symbol.operation
            text = texts.get(operation) or self._call(operation, len(texted))
            lines.append(text.format(*texted, r=here[i]))
            if i in self.stores:
                value = here[i]
                if operation in CONDITIONS:
                    value = f"%u{i}"
                    lines.append(f"{value} = uitofp {self.bit} {here[i]} to {number}")
                for place in self.stores[i]:
                    store(i, place, value)
        if name == "part0":
            for i, place in self.copied:
                if i not in here:
                    lines.append(f"%p{i} = getelementptr {number}, ptr %m, i64 {self.place[i]}")
                    lines.append(f"%v{i} = load {number}, ptr %p{i}, align 8")
                    here[i] = f"%v{i}"
                store(i, place, here[i])
        return self._function(name, lines)

    # Calls of functions -----------------------------------------------------------------------------------------------

    def _call(self, operation: str, arity: int) -> str:
        """The text of an operation that is not in the table: a call of the C library's function, or of Python's."""
        scalar = ", ".join(["double"] * arity)
        name = f"@{operation}"
        theirs = hasattr(math, operation) and operation not in OWN and operation not in OTHERS
        address = llvm.address_of_symbol(operation) if theirs else None
        if address and self.lanes == 1 and not self.level:
            name = f"inttoptr (i64 {address} to ptr)"  # a call by name would take three times as long to compile
        elif address:
            self.called[operation] = f"declare double @{operation}({scalar})\n"
        else:
            name = f"@python_{operation}"  # LLVM knows what some names of the C library mean
            given = ", ".join([f"double %x{i}" for i in range(arity)])
            self.called[operation] = (
                f"define internal double {name}({given}) {{\n%y = call double inttoptr (i64 "
                f"{self._callback(operation, arity)} to ptr)({given})\nret double %y\n}}\n"
            )
        if self.lanes > 1:
            one, name = name, f"@v.{operation}"
            for needed in VECTORS.get(operation, {name[1:]: _lane_by_lane(operation, arity, one)}).items():
                self.called[needed[0]] = needed[1]
        operands = ", ".join([f"{self.number} {{{i}}}" for i in range(arity)])
        self.texts[operation] = f"{{r}} = call {self.number} {name}({operands})"
        return self.texts[operation]

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

    def _prelude(self) -> str:
        return INTRINSICS + "".join(self.called.values())

    def _compiled(self, text: str, name: str) -> int:
        engine, module = _engine(text, self.level)
        engine.finalize_object()
        self._kept.append(engine)
        address = int(engine.get_function_address(name))
        engine.remove_module(module)  # the machine code stays, what it was made from takes ten times the room
        module.close()
        return address


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
    given, lines = ", ".join([f"V %x{i}" for i in range(arity)]), ["%y0 = fadd V zeroinitializer, zeroinitializer"]
    for lane in range(LANES):
        lines += [f"%a{lane}{i} = extractelement V %x{i}, i64 {lane}" for i in range(arity)]
        numbers = ", ".join([f"double %a{lane}{i}" for i in range(arity)])
        lines.append(f"%b{lane} = call double {one}({numbers})")
        lines.append(f"%y{lane + 1} = insertelement V %y{lane}, double %b{lane}, i64 {lane}")
    text = f"define internal V @v.{operation}({given}) {{\n" + "\n".join(lines) + f"\nret V %y{LANES}\n}}\n"
    return text.replace("V", f"<{LANES} x double>")


def _exponential(name: str, result: str) -> str:
    """exp(x) and expm1(x): with x = n · log 2 + r, a polynomial of r gives q = expm1(r), and then 2ⁿ(1 + q)."""
    lines = [
        "%low = fcmp olt V %x, C(-746.0)\n%x1 = select B %low, V C(-746.0), V %x",
        "%high = fcmp ogt V %x1, C(710.0)\n%x2 = select B %high, V C(710.0), V %x1",
        f"%n0 = call V @llvm.fma.v8f64(V %x2, V C({1 / log(2)!r}), V C(6755399441055744.0))",  # a whole number
        "%n = fsub V %n0, C(6755399441055744.0)",
        "%r0 = call V @llvm.fma.v8f64(V %n, V C(-0.6931471803691238), V %x2)",
        "%r = call V @llvm.fma.v8f64(V %n, V C(-1.9082149292705877e-10), V %r0)",
        f"%h13 = fadd V zeroinitializer, C({1 / factorial(13)!r})",
        *[f"%h{i} = call V @llvm.fma.v8f64(V %h{i + 1}, V %r, V C({1 / factorial(i)!r}))" for i in range(12, 0, -1)],
        "%q = fmul V %h1, %r\n%one = fadd V %q, C(1.0)",
        "%bits = bitcast V %n0 to I\n%k = sub I %bits, J(4843621399236968448)",
        "%k1 = ashr I %k, J(1)\n%k2 = sub I %k, %k1",
        *[f"%e{i} = add I %k{i}, J(1023)\n%f{i} = shl I %e{i}, J(52)\n%s{i} = bitcast I %f{i} to V" for i in (1, 2)],
        "%half = fmul V %one, %s1\n%power = fmul V %half, %s2",
        "%scale = fmul V %s1, %s2\n%scale1 = fsub V %scale, C(1.0)",
        "%less = call V @llvm.fma.v8f64(V %scale, V %q, V %scale1)",
        "%large = fcmp ogt V %x, C(50.0)\n%small = select B %large, V %power, V %less",
    ]
    return _vector(f"define internal V @v.{name}(V %x) {{\n" + "\n".join(lines) + f"\nret V %{result}\n}}\n")


def _vector(text: str) -> str:
    """A text in which V, B and I are vectors, and C(x) and J(n) constant ones."""

    def constant(found: re.Match[str]) -> str:
        number = found[2] if found[1] == "J" else f"0x{struct.unpack('Q', struct.pack('d', float(found[2])))[0]:016X}"
        return f"<{', '.join([('i64 ' if found[1] == 'J' else 'double ') + number] * LANES)}>"

    text = re.sub(r"\b([CJ])\(([^)]*)\)", constant, text)
    kinds = {"V": "double", "B": "i1", "I": "i64"}
    return re.sub(r"\b[VBI]\b", lambda kind: f"<{LANES} x {kinds[kind[0]]}>", text)


_EXPM1 = {"v.expm1": _exponential("expm1", "small")}
_TANH = """define internal V @v.tanh(V %x) {
%a = call V @llvm.fabs.v8f64(V %x)\n%b = fmul V %a, C(-2.0)\n%e = call V @v.expm1(V %b)\n%m = fneg V %e
%d = fadd V %e, C(2.0)\n%t = fdiv V %m, %d\n%n = fcmp olt V %x, zeroinitializer\n%u = fneg V %t
%y = select B %n, V %u, V %t\nret V %y
}
"""
VECTORS = {
    "exp": {"v.exp": _exponential("exp", "power")},
    "expm1": _EXPM1,
    "tanh": {**_EXPM1, "v.tanh": _vector(_TANH)},
}
