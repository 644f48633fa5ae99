"""The instructions of the interpreter, the loops that carry them out, and the writing of code for these.

Nothing of a single operation is told here: the loops are written from the templates of the rules, and from the kernels
by which functions.py says what the names in these templates mean for floats.
"""

from __future__ import annotations

import math
import os
import re
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from types import CodeType, FunctionType

from .functions import KERNELS
from .rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Array = Any


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        text = f"jit: the numba backend needs {name}: pip install micrograd-plus[fast], in a clone -e .[fast]"
        raise ImportError(text) from error


np, numba = _needed("numpy"), _needed("numba")

OPTIONS = {"error_model": "numpy", "nogil": True}  # for numba: a division by zero does not raise; threads run at once
WINDOW = 4096  # instructions change places, so that equal ones stand in a row, among so many of them

# What there is besides the operations of the rules, and how it is written; d is where the result goes. The last two are
# a product and a sum at once: most of what there is to do in a network.
FORMS = {sign: f"float({{x}} {sign} {{y}})" for sign in ("<", "<=", "==", "!=")}
FORMS |= {sign: f"float(({{x}} != 0.0) {sign} ({{y}} != 0.0))" for sign in ("and", "or")}
FORMS |= {"where": "{y} if {x} != 0.0 else {z}", "copy": "{x}"}
FORMS |= {"multiply_add": "{x} * {y} + {z}", "accumulate": "{d} + {x} * {y}"}
SWAPPED = {">": "<", ">=": "<="}  # the same with the operands in the other order

# What goes into the lanes and out of them; here x or d is the number of a row, or of a total.
TRANSFERS = {
    "load": "for j in range(n): memory[d + j] = inputs[x, first + j]",
    "store": "for j in range(n): outputs[d, first + j] = memory[x + j]",
    "total": "totals[d] += total(memory, x, n)",
    "total_product": "totals[d] += total_product(memory, x, y, n)",
}
ARITIES = {"total_product": 2} | dict.fromkeys(("load", "store", "total"), 1)

# Each of these has a loop of its own, which makes it quick, but takes time to compile. All others share one.
QUICK: tuple[str, ...] = ("add", "sub", "mul", "times", "truediv", "neg", "step", "maximum", "relu")
QUICK += ("<", "<=", "==", "!=", "where", "copy", "multiply_add", "accumulate")

# Of these there is one more, for operands with a lane (L) and operands without (-).
MIXED = [("add", "-L"), ("sub", "-L"), ("sub", "L-"), ("mul", "-L")]
MIXED += [("multiply_add", "-L-"), ("multiply_add", "-LL"), ("multiply_add", "LL-"), ("accumulate", "-L")]

# Instead of kernels that numba cannot compile, or not to the same function.
REPLACED = {
    "ceil": "lambda x: np.ceil(x) + 0.0",
    "cbrt": "lambda x: np.cbrt(x)",
    "floor": "lambda x: np.floor(x) + 0.0",
    "where": "lambda condition, x, y: x if condition else y",
}

# The loops ------------------------------------------------------------------------------------------------------------

SINGLE = """
def single(code, memory):
    i = 0
    while i < code.size:
        instruction, end = code[i], i + 2 + code[i + 1]
        i += 2
        if instruction >= {quick}:
            while i < end:
                memory[code[i]] = evaluate(instruction, memory[code[i + 1]], memory[code[i + 2]])
                i += 3"""
BATCH = """
def batch(code, memory, shared, inputs, outputs, totals, width, start, stop):
    for start in range(start, stop, width):
        first, n = index(start), index(min(width, stop - start))
        i = 0
        while i < code.size:
            instruction, end = code[i], i + 2 + code[i + 1]
            i += 2
            if {quick} <= instruction < {slow}:
                while i < end:
                    d, x, y = index(code[i]), index(code[i + 1]), index(code[i + 2])
                    xs, ys = index(x >= shared), index(y >= shared)
                    for j in range(n): memory[d + j] = evaluate(instruction, memory[x + j * xs], memory[y + j * ys])
                    i += 3"""


class Interpreter:
    """The loops, `single` and `batch`, and what is to be known of their instructions to write code.

    `names` are the names of the instructions by number, `numbers` the numbers of the operations among them. `tables`
    say by the number of an operation how many operands it has, how many numbers it takes in the code, and which
    instruction it is there, by the sum of 1, 2, 4 for those operands that have lanes.

    >>> import numpy
    >>> interpreter = Interpreter.latest()
    >>> memory = numpy.array([2.0, 3.0, 0.0, 0.0])
    >>> interpreter.single(numpy.array([interpreter.numbers["mul"], 6, 2, 0, 1, 3, 2, 1], "uint32"), memory)
    >>> memory.tolist()
    [2.0, 3.0, 6.0, 18.0]
    """

    def __init__(self, forms: dict[str, str]) -> None:
        self.names = [*forms, *[name for name, _ in MIXED]]
        self.numbers = {name: number for number, name in enumerate(forms)}
        arities = np.array([_arity(name, form) for name, form in forms.items()])
        share_a_loop = [name not in QUICK and name not in TRANSFERS for name in forms]
        instructions = np.repeat(np.arange(len(forms))[:, None], 8, axis=1)
        for number, (name, kinds) in enumerate(MIXED, len(forms)):
            instructions[self.numbers[name], sum(2**k for k, kind in enumerate(kinds) if kind == "L")] = number
        self.tables = np.column_stack([arities, np.where(share_a_loop, 3, arities + 1), instructions])
        self.single, self.batch = _loops(_text(forms))

    @staticmethod
    def latest() -> Interpreter:
        """That for the rules that there are."""
        forms = {rule.name: rule.template for rule in RULES.values() if not rule.sequences} | FORMS
        return _interpreter(tuple([(name, forms[name]) for name in dict.fromkeys([*QUICK, *forms])]))


@lru_cache
def _interpreter(forms: tuple[tuple[str, str], ...]) -> Interpreter:
    return Interpreter(dict(forms) | TRANSFERS)


def _arity(name: str, form: str) -> int:
    return ARITIES.get(name) or 1 + ("{y}" in form) + ("{z}" in form)


def _text(forms: dict[str, str]) -> str:
    """The loops as the text of a program."""
    names, quick, slow = list(forms), len(QUICK), len(forms) - len(TRANSFERS)
    lines = ["def evaluate(instruction, x, y):"]
    for number, name in enumerate(names[quick:slow], quick):
        lines += [f"    if instruction == {number}: return {forms[name].format(x='x', y='y')}"]
    lines += ["    return x", SINGLE.format(quick=quick)]
    for number, name in enumerate(QUICK):
        places = {letter: f"memory[code[i + {k}]]" for k, letter in enumerate("dxyz")}
        lines += [f"        elif instruction == {number}:  # {name}", "            while i < end:"]
        lines += [f"                {places['d']} = {forms[name].format(**places)}"]
        lines += [f"                i += {1 + _arity(name, forms[name])}"]
    lines += [BATCH.format(quick=quick, slow=slow)]
    loops = [(number, name, "") for number, name in enumerate(names) if not quick <= number < slow]
    loops += [(number, name, kinds) for number, (name, kinds) in enumerate(MIXED, len(names))]
    for number, name, kinds in loops:
        arity = _arity(name, forms[name])
        steps, places = ["d = index(code[i])"], {"d": "memory[d + j]"}
        for k, letter in enumerate("xyz"[:arity]):
            place, offset = f"code[i + {k + 1}]", "j"
            if kinds and kinds[k : k + 1] == "-":
                steps += [f"{letter} = memory[{place}]"]
                places[letter] = letter
                continue
            steps += [f"{letter} = index({place})"]
            if not kinds and arity > 1 and name not in TRANSFERS:  # what has no lane stays where it is
                steps += [f"{letter}s = index({letter} >= shared)"]
                offset = f"j * {letter}s"
            places[letter] = f"memory[{letter} + {offset}]"
        form = f"for j in range(n): {places['d']} = {forms[name].format(**places)}"
        steps += [TRANSFERS.get(name, form), f"i += {1 + arity}"]
        lines += [f"            elif instruction == {number}:  # {name} {kinds}", "                while i < end:"]
        lines += [" " * 20 + step for step in steps]
    return "\n".join(lines)


def by_numba(function: Any) -> Any:
    """`function`, compiled by numba at its first call, or taken from where numba keeps on disk what it has compiled.

    As everywhere in NumPy, a division by zero does not raise.

    >>> by_numba(lambda x: 1.0 / x)(0.0)
    inf
    """
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # there is no file of it, or no directory that can be written to
        return numba.njit(**OPTIONS)(function)


def _loops(text: str) -> tuple[Any, Any]:
    """The functions `single` and `batch` of that text, compiled; on disk by the text and all kernels."""
    # An index is unsigned: of another, numba would ask whether it is negative, and counts from the end.
    scope = {"np": np, "math": math, "float": np.float64, "index": np.uint64, "__name__": __name__}
    digest = sha256(repr((OPTIONS, text)).encode())

    def kernel(function: Any, **options: Any) -> Any:
        """A function for numba, and with it those that it calls; anything else as it is."""
        if not isinstance(function, FunctionType):
            return function
        code, known = function.__code__, function.__globals__
        constants = [x for x in code.co_consts if not isinstance(x, CodeType)]
        digest.update(repr((code.co_code, code.co_names, constants, options)).encode())
        names = scope | {name: kernel(known[name]) for name in code.co_names if name in known}
        copy = FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)
        return numba.njit(**OPTIONS, **options)(copy)

    for name in sorted(KERNELS.keys() & set(re.findall(r"\w+(?=\()", text))):
        scope[name] = kernel(eval(REPLACED[name], scope) if name in REPLACED else KERNELS[name])
    for name, function in {"total": _total, "total_product": _total_product}.items():
        scope[name] = kernel(function, fastmath={"reassoc"})  # it may add up in another order
    exec(compile(text, _kept(text, f"loops_{digest.hexdigest()[:20]}.py"), "exec"), scope)
    for name in ("evaluate", "single", "batch"):
        scope[name] = by_numba(scope[name])
    return scope["single"], scope["batch"]


def _kept(text: str, name: str) -> str:
    """The path of a file with that text, beside which numba keeps what it makes of it; of no file if that cannot be."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(folder, "micrograd_plus", name)
    try:
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(file.name, path)
    except OSError:
        return "<loops>"
    return path


def _total(memory: Array, x: Any, n: Any) -> float:
    total = 0.0
    for j in range(n):
        total += memory[x + j]
    return total


def _total_product(memory: Array, x: Any, y: Any, n: Any) -> float:
    total = 0.0
    for j in range(n):
        total += memory[x + j] * memory[y + j]
    return total


# Writing code ---------------------------------------------------------------------------------------------------------

# A program is an array of operations, and one of rows: what each makes, and its up to three operands, or -1 for none.
# All of these are numbers; what row k makes has the number first + k.


@by_numba
def spread(rows: Array, has_lane: Array) -> None:
    """Mark all that depends on something that has a lane."""
    for k in range(len(rows)):
        for i in range(1, 4):
            if rows[k, i] >= 0 and has_lane[rows[k, i]]:
                has_lane[rows[k, 0]] = True


@by_numba
def fuse(operations: Array, rows: Array, uses: Array, has_lane: Array, numbers: tuple[int, ...]) -> None:
    """Make one of a sum and a product that nothing else uses; in the place of the product, operation -1 is left."""
    add, mul, multiply_add, first = numbers
    n = len(rows)
    for k in range(n):
        if operations[k] == add:
            for side in (2, 1):
                x = rows[k, side]
                i = x - first
                if 0 <= i < n and operations[i] == mul and uses[x] == 1 and has_lane[x] == has_lane[rows[k, 0]]:
                    rows[k, 3] = rows[k, 3 - side]
                    rows[k, 1], rows[k, 2] = rows[i, 1], rows[i, 2]
                    operations[k], operations[i] = multiply_add, -1
                    break


@by_numba
def schedule(operations: Array, rows: Array, size: int) -> Array:
    """An order with equal operations in a row: of what can be done, all of the most frequent operation come first."""
    n, kinds = len(rows), operations.max() + 1
    made = np.full(size, -1, np.int32)  # by what row
    for k in range(n):
        made[rows[k, 0]] = k
    users, next_user = np.full(n, -1, np.int32), np.empty(3 * n, np.int32)  # for each row a list of 3 * user + operand
    waits = np.zeros(n, np.int32)  # for how many operands
    ready, below, heights = np.full(kinds, -1, np.int32), np.empty(n, np.int32), np.zeros(kinds, np.int32)  # stacks
    order, done = np.empty(n, np.int32), 0
    for start in range(0, n, WINDOW):
        stop = min(start + WINDOW, n)
        for k in range(stop - 1, start - 1, -1):
            for i in range(3):
                x = rows[k, i + 1]
                if x >= 0 and made[x] >= start:
                    next_user[3 * k + i], users[made[x]] = users[made[x]], 3 * k + i
                    waits[k] += 1
            if waits[k] == 0:
                below[k], ready[operations[k]] = ready[operations[k]], k
                heights[operations[k]] += 1
        while done < stop:
            operation = heights.argmax()
            while ready[operation] >= 0:
                k = ready[operation]
                ready[operation], heights[operation] = -1, 0
                while k >= 0:
                    order[done], done = k, done + 1
                    user = users[k]
                    while user >= 0:
                        i = user // 3
                        waits[i] -= 1
                        if waits[i] == 0:
                            below[i], ready[operations[i]] = ready[operations[i]], i
                            heights[operations[i]] += 1
                        user = next_user[user]
                    k = below[k]
    return order


@by_numba
def write(
    operations: Array, rows: Array, has_lane: Array, places: Array, size: int, width: int, tables: Array, fused: Any
) -> tuple[Array, int]:
    """The code of a program, and the size of its memory, of which `size` is taken before.

    `places` says where numbers are in the memory, -1 if that is free. These get a place, or a lane of that width, for
    as long as they are needed; then another gets it. No result goes to where an operand of its own is: the processor
    could not compute several elements at once then.
    """
    multiply_add, accumulate = fused
    n = len(rows)
    last = np.full(len(places), -1, np.int32)  # in which row a number is used
    for k in range(n):
        for i in range(1, 4):
            if rows[k, i] >= 0:
                last[rows[k, i]] = k
    fixed = places >= 0
    free, n_free = np.empty(n, np.int32), 0
    code, end, head = np.empty(6 * n, np.uint32), 0, 0
    for k in range(n):
        operation, d, z = operations[k], rows[k, 0], rows[k, 3]
        if operation == multiply_add and not fixed[d] and not fixed[z] and last[z] == k:
            operation = accumulate
            places[d], last[z] = places[z], -1
        elif not fixed[d]:
            if n_free:
                n_free -= 1
                places[d] = free[n_free]
            else:
                places[d], size = size, size + width
        arity, words, kinds = tables[operation, 0], tables[operation, 1], 0
        for i in range(arity):
            kinds += has_lane[rows[k, i + 1]] << i
        instruction = tables[operation, 2 + kinds]
        if end == 0 or code[head] != instruction:
            head = end
            code[head], code[head + 1] = instruction, 0
            end += 2
        code[head + 1] += words
        for i in range(words):
            code[end + i] = places[rows[k, i if i <= arity else 1]]
        end += words
        for i in range(1, 4):
            x = rows[k, i]
            if x >= 0 and not fixed[x] and last[x] == k:
                free[n_free], n_free = places[x], n_free + 1
                last[x] = -1
    return code[:end].copy(), size
