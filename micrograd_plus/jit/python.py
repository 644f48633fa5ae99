"""The trace as a Python function over floats: straight lines, meant to be read.

A number that is used more than once has a line; what is used once stands where it is used, as long as the line stays
short enough. Operations are written by the templates of their rules. Names are those of the arguments, and labels;
other numbers are t1, t2, ..., and those that the chain rule made d1, d2, ...

The product of the chain rule is written as any other, though in it 0 wins over infinity. What is needed on one side of
a choice alone is computed whichever side is taken, as `sqrt_or_nan(x)`, which does not raise. Either may make a nan
where f makes none: so if one comes out, or a comparison asks for one that is not `known`, f itself is called.
"""

from __future__ import annotations

import _operator as operator
import builtins
import math
import re
from _thread import _local
from collections import Counter
from functools import partial
from keyword import iskeyword
from math import inf, nan
from textwrap import wrap

from ..functions import KERNELS
from ..machinery.trees import ARRAY, NUMBER, array, tree_unflatten
from ..rules import RULES
from .compiled import is_plain, tree_text
from .trace import COMPARISONS, Symbol, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..functions import Function

WIDTH = 100  # a line that would be longer is divided, by names for parts of it
PART = 5000  # lines that are compiled at once, as Python needs a lot of memory to compile many

SIGNS = {*COMPARISONS.values()}

# How an operation is written, how strongly that binds, and its operands at least: of a - (b - c) the second by 6. What
# is not here is the call of a function; a name or a call binds by 9.
TEXTS: dict[str, tuple[str, int, tuple[int, ...]]] = {
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
    "**": ("{}**{}", 8, (9, 9)),  # sooner than pow, and the same number where the power is SMALL
    "item": ("{}[{}]", 9, (9, 0)),
}
TEXTS |= {sign: (f"{{}} {sign} {{}}", 4, (5, 5)) for sign in SIGNS}

# What never raises over floats, beside these.
CALM = {"abs", "sign", "step", "maximum", "minimum", "reciprocal", "tanh", "atan", "erf", "gaussian", "sum", "dot"}
CALM |= {"logsumexp", "softmax", "log_softmax"}

SMALL = (2.0, 3.0, 4.0)
UNBOUNDED = {"exp", "expm1", "sinh", "cosh", "pow"}  # they raise where they overflow: what is infinite, f says itself


def names() -> dict[str, Any]:
    """What the names in a program mean."""
    found = dict(KERNELS, abs=builtins.abs, inf=inf, nan=nan, array=array, known=known)
    found |= {name: getattr(math, name) for name in UNBOUNDED}
    return found | {f"{name}_or_nan": or_nan(KERNELS.get(name, operator.truediv)) for name in ("truediv", *KERNELS)}


class Tried(_local):
    """Whether an operation has failed in this thread that was tried."""

    failed = False


tried = Tried()


def or_nan(kernel: Function) -> Function:
    """The function that gives nan where the kernel raises.

    >>> or_nan(math.sqrt)(4.0), or_nan(math.sqrt)(-1.0)
    (2.0, nan)
    """

    def function(*x: float) -> Any:
        try:
            return kernel(*x)
        except (ValueError, ArithmeticError):
            tried.failed = True
            return nan

    return function


def known(x: float) -> float:
    """`x`; ArithmeticError if it is nan."""
    if x == x:
        return x
    raise ArithmeticError("nan is compared")


class Program:
    """The program, called with a list of as many floats as there are inputs; `source` is its text.

    `outputs` are the numbers of a tree of that structure. ArithmeticError where a nan comes out that f may not make.

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
        self._fill = None
        if not is_plain(structure):
            self._fill, structure = partial(tree_unflatten, structure), (list, None, len(outputs))
        text, namespace = _Text(inputs, outputs), names()
        result = tree_text(structure, map(text.operand, outputs))
        bare = structure[0] is tuple and structure[2] not in (0, 1) and len(result) < WIDTH - 10
        body = [*text.lines, _divided("    return ", result[1:-1] if bare else result)]
        head = _divided("def program(", f"{', '.join(text.arguments)}):")
        self.source = "\n".join([head, *body])
        if len(body) <= PART:
            exec(compile(self.source, f"<jit of {name}>", "exec"), namespace)
            self._run = namespace["program"]
        else:
            self._run = _in_pieces(text.arguments, [*text.lines, f"    program = {result}"], namespace)
        terms = " + ".join(_sums(structure, "y"))
        self._total = eval(f"lambda y: {terms}") if terms and any(text.doubts.values()) else None
        self._has_times = any(x.operation == "times" for x in text.symbols) and not text.careful

    def __call__(self, leaves: Sequence[float]) -> Any:
        if not {float}.issuperset(map(type, leaves)):
            raise TypeError("not of floats")
        tried.failed = False
        result = self._run(*leaves)
        if self._total and (self._has_times or tried.failed) and not self._total(result) <= inf:
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


class _Text:
    """The `lines` of a program, the names of its `arguments`, and how its symbols are `written` where they are used."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any]) -> None:
        self.taken = dict.fromkeys([*names(), "program"], 1)  # how often a name was wished
        self.arguments = [self.name(x.label) for x in inputs]
        self.written = {x.index: (name, 9) for x, name in zip(inputs, self.arguments, strict=True)}
        self.doubts: dict[int, int] = {}  # whether it may be a nan where f makes none: 2, 1 if only a chosen one, or 0
        self.lines: list[str] = []
        self.symbols = symbols = needed(outputs)
        self.careful = any(x.operation in SIGNS and x.by_chain for x in symbols)  # the result would not tell of 0 · ∞
        uses = Counter([y.index for y in outputs if isinstance(y, Symbol)])
        self.always = {*uses}  # what is needed whatever is chosen
        cut = _cut(symbols)
        for symbol in reversed(symbols):
            certain = symbol.operands[:1] if symbol.operation in ("where", "and", "or") else symbol.operands
            if symbol.operation == "times" and any(getattr(x, "index", None) in cut for x in certain):
                certain = tuple([x for x in certain if getattr(x, "index", None) in cut])
            for x in symbol.operands:
                if isinstance(x, Symbol):
                    uses[x.index] += uses[symbol.index] if self.is_asked(symbol) else 1
                    if symbol.index in self.always and any(x is y for y in certain):
                        self.always.add(x.index)
        kinds, counts = "", {"t": 0, "d": 0}
        for symbol in symbols:
            if symbol.operation:
                self.doubts[symbol.index] = self.doubt(symbol)
                text, binds = self.text(symbol)
                in_place = self.is_asked(symbol) and self.doubts[symbol.index]  # where `known` may raise
                if (uses[symbol.index] > 1 or len(text) > WIDTH - 30) and not in_place:
                    kinds += "d" if symbol.by_chain else "t"
                    counts[kinds[-1]] += not symbol.label
                    name = self.name(symbol.label or f"{kinds[-1]}{counts[kinds[-1]]}")
                    self.lines.append(_divided(f"    {name} = ", text))
                    text, binds = name, 9
                self.written[symbol.index] = text, binds
        if "td" in kinds and "dt" not in kinds:  # values first, then derivatives: reverse mode
            self.lines.insert(kinds.index("d"), "    # derivatives, by the chain rule")

    def name(self, wish: str) -> str:
        """`wish` as a name that is not taken."""
        name = re.sub(r"\W", "_", wish, flags=re.ASCII)[:40]
        name = name if name.isidentifier() and not iskeyword(name) and not name.startswith("__") else f"_{name}"
        free = name
        while count := self.taken.get(free, 0):
            self.taken[free] = count + 1
            free = f"{name}_{count}"
        self.taken[free] = 1
        return free

    def is_asked(self, symbol: Symbol) -> bool:
        """Whether it is a comparison that is needed only if some other condition holds."""
        return symbol.operation in SIGNS and symbol.index not in self.always

    def is_partial(self, symbol: Symbol) -> bool:
        """Whether it may raise, and that on a side of a choice that is not taken."""
        operation, last = symbol.operation, symbol.operands[-1]
        if symbol.index in self.always or operation in CALM:
            return False
        if operation in ("truediv", "pow"):
            return type(last) is not float or not (last in SMALL if operation == "pow" else last)
        return operation not in TEXTS

    def doubt(self, symbol: Symbol) -> int:
        """As `doubts`."""
        sides = symbol.operands[1:] if symbol.operation == "where" else symbol.operands
        doubt = max([self.doubts.get(x.index, 0) for x in sides if isinstance(x, Symbol)], default=0)
        if symbol.operation == "where":
            return min(doubt, 1)
        return 2 if self.is_partial(symbol) else doubt or int(symbol.operation == "times" and not self.careful)

    def text(self, symbol: Symbol) -> tuple[str, int]:
        """An operation as text, and how strongly it binds."""
        operation, operands, doubt = symbol.operation, symbol.operands, self.doubts[symbol.index]
        small = operation == "pow" and type(operands[1]) is float and operands[1] in SMALL
        called = f"{operation}_or_nan" if self.is_partial(symbol) else operation
        if operation in (*TEXTS, "pow" * small) and called == operation and not (operation == "times" and (doubt == 2 or self.careful)):
            text, binds, least = TEXTS["**" if small else operation]
            parts = [self.operand(x, strength) for x, strength in zip(operands, least, strict=True)]
            if operation in SIGNS and doubt:
                parts = [f"known({p})" if isinstance(x, Symbol) else p for p, x in zip(parts, operands, strict=True)]
            return text.format(*parts), binds
        parts = [self.operand(x) for x in operands]
        if operation in TEXTS:
            return f"{called}({', '.join(parts)})", 9
        return RULES[operation].program(parts).removesuffix("[0]").replace(operation, called, 1), 9

    def operand(self, x: Any, strength: int = 0) -> str:
        """A number as an operand that has to bind so strongly."""
        if not isinstance(x, Symbol):
            return f"({x!r})" if strength > 4 and repr(x).startswith("-") else repr(x)
        text, binds = self.written[x.index]
        return f"({text})" if binds < strength else text


def _cut(symbols: list[Symbol]) -> set[int]:
    """What is 0 by a choice, perhaps, as a mask is: of what it is multiplied by, nothing may be needed."""
    found: set[int] = set()
    for symbol in symbols:
        known = [x in (0.0,) if type(x) is float else getattr(x, "index", None) in found for x in symbol.operands]
        operation = symbol.operation
        if (operation == "where" and any(known[1:])) or (operation in ("times", "mul", "neg") and any(known)):
            found.add(symbol.index)
        elif operation in ("add", "sub") and all(known):
            found.add(symbol.index)
    return found


def _divided(head: str, text: str) -> str:
    """A line, or if it is long, several."""
    if len(head) + len(text) <= WIDTH:
        return head + text
    text = f"({text})" if head.endswith("= ") else text
    return "\n".join(wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * 8, break_long_words=False,
                          break_on_hyphens=False))  # fmt: skip


def _in_pieces(arguments: list[str], lines: list[str], namespace: dict[str, Any]) -> Function:
    """The function that runs these lines, some after some."""
    parts = ["\n".join(["if True:", *lines[i : i + PART]]) for i in range(0, len(lines), PART)]
    pieces = [compile(part, "<jit>", "exec") for part in parts]

    def program(*numbers: float) -> Any:
        known = namespace | dict(zip(arguments, numbers, strict=True))
        for piece in pieces:
            exec(piece, known)
        return known["program"]

    return program


def _sums(structure: Any, text: str) -> list[str]:
    """Terms that add up to the sum of all numbers in a structure."""
    if structure is NUMBER:
        return [text]
    kind, keys, parts = structure
    if kind is ARRAY:
        return [f"{text}.sum()"]
    if type(parts) is int:
        return [f"sum({text}{'.values()' * (kind is dict)})"]
    places = keys if kind is dict else range(len(parts))
    return [term for key, part in zip(places, parts, strict=True) for term in _sums(part, f"{text}[{key!r}]")]
