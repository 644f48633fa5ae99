"""The trace as a Python function over floats: straight lines, meant to be read.

A number that is used more than once has a line; what is used once stands where it is used, as long as the line stays
short enough. Operations are written by the templates of their rules.

The product of the chain rule is written as any other, though in it 0 wins over infinity, and what is needed on one side
of a choice alone is computed whichever side is taken. So where a program raises, or a nan comes out, a careful one
runs: its operations give nan where they would raise, as does a choice by a comparison with nan, and in its products 0
wins. If a nan comes out of that as well, f itself is called, which knows.
"""

from __future__ import annotations

import _operator as operator
import builtins
import math
from functools import partial
from math import inf, nan
from textwrap import wrap

from ..functions import KERNELS
from ..machinery import structures
from ..machinery.trees import array, tree_unflatten
from .text import Text
from .trace import COMPARISONS, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..functions import Function
    from .text import Table
    from .trace import Symbol

WIDTH = 100  # a line that would be longer is divided
PART = 20_000  # lines that are compiled at once, as Python needs a lot of memory to compile many

SIGNS = {*COMPARISONS.values()}
TEXTS: Table = {
    "where": ("{1} if {0} else {2}", 0, (1, 1, 0)),
    "or": ("{} or {}", 1, (1, 1)),
    "and": ("{} and {}", 2, (2, 2)),
    "not": ("not {}", 3, (3,)),
    "add": ("{} + {}", 5, (5, 6)),
    "sub": ("{} - {}", 5, (5, 6)),
    "mul": ("{} * {}", 6, (6, 7)),
    "times": ("{} * {}", 6, (6, 7)),
    "truediv": ("{} / {}", 6, (6, 7)),
    "neg": ("-{}", 7, (8,)),
    "item": ("{}[{}]", 9, (9, 0)),
}
TEXTS |= {sign: (f"{{}} {sign} {{}}", 4, (5, 5)) for sign in SIGNS}
TEXTS |= {f"pow {y}": ("{}**{}", 8, (9, 9)) for y in (2.0, 3.0, 4.0)}  # sooner than math.pow, and the same number
TIMES: Table = {"times": ("times({}, {})", 9, (0, 0))}
CAREFUL: Table = {
    **TEXTS,
    **TIMES,
    "truediv": ("truediv({}, {})", 9, (0, 0)),
    "where": ("where({}, {}, {})", 9, (0, 0, 0)),
}
CAREFUL |= {sign: (f"{name}({{}}, {{}})", 9, (0, 0)) for name, sign in COMPARISONS.items()}  # 1, 0, or nan, and so:
CAREFUL |= {"and": TIMES["times"], "or": ("1.0 - times(1.0 - {}, 1.0 - {})", 5, (6, 6)), "not": ("1.0 - {}", 5, (6,))}

UNBOUNDED = {"exp", "expm1", "sinh", "cosh", "pow"}  # they raise where they overflow: what is infinite, f says itself
NAMES = {*KERNELS, *COMPARISONS, "program", "array", "inf", "nan", "truediv"}


def or_nan(kernel: Function) -> Function:
    """The function that gives nan where the kernel raises: or_nan(math.sqrt)(-1.0)."""

    def function(*x: float) -> Any:
        try:
            return kernel(*x)
        except (ValueError, ArithmeticError):
            return nan

    return function


def careful_names() -> dict[str, Any]:
    """What the names in a careful program mean."""
    found: dict[str, Any] = {name: or_nan(kernel) for name, kernel in KERNELS.items()}
    found |= {"array": array, "inf": inf, "nan": nan, "truediv": or_nan(operator.truediv)}
    for name in COMPARISONS:
        holds = getattr(operator, name)
        found[name] = lambda x, y, holds=holds: holds(x, y) if x == x and y == y else nan
    return found | {"where": lambda condition, x, y: nan if condition != condition else x if condition else y}


class Program:
    """The program, called with a list of as many floats as there are inputs; `source` is its text.

    `outputs` are the numbers of a tree of that structure. ValueError or ArithmeticError where f itself is to be called.

    >>> from .trace import Trace
    >>> from ..machinery.trees import tree_flatten
    >>> trace = Trace()
    >>> x, y = trace.input("x"), trace.input("y")
    >>> outputs, structure = tree_flatten([x * y + 1.0, (x * y).sin()])
    >>> trace.close()
    >>> program = Program([x, y], outputs, structure, "f")
    >>> print(program.source)
    def program(x, y):
        t1 = x * y
        return [t1 + 1.0, sin(t1)]
    >>> program([2.0, 0.0])
    [1.0, 0.0]
    """

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any, name: str) -> None:
        plain = structure if structures.is_plain(structure) else (list, None, len(outputs))
        self._fill = None if plain is structure else partial(tree_unflatten, structure)
        symbols = needed(outputs)
        kinds = {symbol.operation for symbol in symbols}
        asked = any(symbol.operation in SIGNS and symbol.by_chain for symbol in symbols)  # the result would not tell
        terms = " + ".join(structures.total(plain, "y")) or "0.0"
        self._total: Function = eval(f"lambda y: {terms}")
        self._has_times = "times" in kinds and not asked
        names = {**KERNELS, "abs": builtins.abs, "inf": inf, "nan": nan, "array": array}
        names |= {name: getattr(math, name) for name in UNBOUNDED}
        table = TEXTS | TIMES if asked else TEXTS
        self.source, self._run = _written(Text(inputs, outputs, table, taken=NAMES), plain, names)
        self._careful: Any = None
        self._again: Any = None  # what makes the careful program; it is seldom needed, and keeps the symbols
        if kinds & {"times", "where"}:
            self._again = lambda: _written(Text(inputs, outputs, CAREFUL, taken=NAMES), plain, careful_names())[1]

    def __call__(self, leaves: Sequence[float]) -> Any:
        if not {float}.issuperset(map(type, leaves)):
            raise TypeError("not of floats")
        try:
            result = self._run(*leaves)
            if not self._has_times or self._total(result) <= inf:
                return self._fill(result) if self._fill else result
        except (ValueError, ArithmeticError):
            if not self._again:
                raise
        self._careful = self._careful or self._again()
        result = self._careful(*leaves)
        if not self._total(result) <= inf:
            raise ArithmeticError("nan is returned")
        return self._fill(result) if self._fill else result


class Batched:
    """The program of one sample over a batch, as `jit.llvm.Batched`, one by one."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        self._program = Program(inputs, outputs, (list, None, len(outputs)), "a sample")
        self._reduce, self.source = reduce, self._program.source

    def __call__(self, leaves: list[Any], n: int) -> list[Any]:
        import numpy

        columns: list[Any] = []
        for x in leaves:
            columns += [[x] * n] if type(x) is float else x.reshape(n, -1).T.tolist()
        results = zip(*[self._program(sample) for sample in zip(*columns, strict=True)], strict=True)
        finish: dict[str, Any] = {"": numpy.array, "sum": sum, "mean": lambda numbers: sum(numbers) / n}
        return [finish[how](numbers) for how, numbers in zip(self._reduce, results, strict=True)]


def _written(text: Text, structure: Any, names: dict[str, Any]) -> tuple[str, Function]:
    """The source of a program, and its function; of a long one, the lines run in pieces."""
    lines = [_divided(f"    {name} = ", value) for name, value, _ in text.lines]
    kinds = [by_chain for *_, by_chain in text.lines]
    if True in kinds and (first := kinds.index(True)) and all(kinds[first:]):  # first values, then reverse mode
        lines.insert(first, "    # derivatives, by the chain rule")
    result = structures.text(structure, iter(text.results))
    bare = structure[0] is tuple and structure[2] not in (0, 1) and len(result) < WIDTH - 10
    head = _divided("def program(", f"{', '.join(text.arguments)}):")
    source = "\n".join([head, *lines, _divided("    return ", result[1:-1] if bare else result)])
    if len(lines) < PART:
        exec(compile(source, "<jit>", "exec"), names)
        return source, names["program"]
    lines.append(f"    program = {result}")
    parts = ["\n".join(["if True:", *lines[i : i + PART]]) for i in range(0, len(lines), PART)]
    pieces = [compile(part, "<jit>", "exec") for part in parts]

    def program(*numbers: float) -> Any:
        known = names | dict(zip(text.arguments, numbers, strict=True))
        for piece in pieces:
            exec(piece, known)
        return known["program"]

    return source, program


def _divided(head: str, text: str) -> str:
    """A line, or if it is long, several."""
    if len(head) + len(text) <= WIDTH:
        return head + text
    text = f"({text})" if head.endswith("= ") else text
    options: Any = {"initial_indent": head, "subsequent_indent": " " * 8}
    return "\n".join(wrap(text, WIDTH, **options, break_long_words=False, break_on_hyphens=False))
