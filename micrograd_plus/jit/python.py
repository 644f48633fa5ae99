"""The trace as a Python function over floats: straight lines, meant to be read.

A number that is used more than once has a line; what is used once stands where it is used, as long as the line stays
short enough. Operations are written by the templates of their rules. Names are those of the arguments, and labels;
other numbers are t1, t2, ..., and those that the chain rule made d1, d2, ... What is needed only on one side of a
choice is computed only there: `where(x > 0.0, sqrt(x), 0.0)` becomes `sqrt(x) if x > 0.0 else 0.0`, also in gradients.
"""

from __future__ import annotations

import builtins
import math
import re
from collections import Counter
from functools import partial
from keyword import iskeyword
from math import inf, nan
from textwrap import wrap

from ..functions import KERNELS
from ..machinery.trees import ARRAY, NUMBER, array, tree_unflatten
from ..rules import RULES
from .trace import COMPARISONS, CONDITIONS, Symbol, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    Guard = frozenset[tuple[int, bool]]  # conditions, by their index, each with the side that is taken

WIDTH = 100  # a line that would be longer is divided, by names for parts of it
PART = 5000  # lines: a longer program is divided into functions, as Python needs a lot of memory to compile a long one

# Text and strength of what is not written by the template of a rule, and of operators; a name or a call binds by 9.
TEXTS = {"and": ("{} and {}", 2), "or": ("{} or {}", 1), "not": ("not {}", 3), "add": ("{} + {}", 5)}
TEXTS |= {"sub": ("{} - {}", 5), "mul": ("{} * {}", 6), "truediv": ("{} / {}", 6), "neg": ("-{}", 7)}
TEXTS |= {sign: (f"{{}} {sign} {{}}", 4) for sign in COMPARISONS.values()}

# What never raises over floats: it does no harm to compute it where it is not needed.
CALM = {"", "where", "item", "add", "sub", "mul", "neg", "abs", "sign", "step", "maximum", "minimum", "reciprocal"}
CALM |= {*CONDITIONS, "times", "tanh", "atan", "erf"}

UNBOUNDED = {"exp", "expm1", "sinh", "cosh", "pow"}  # they raise where they overflow: what is infinite, f says itself

SEVERAL = {name for name, rule in RULES.items() if rule.template.endswith("[0]")}  # of their results, "item" takes one


class Program:
    """The program, called with a list of as many floats as there are inputs; `source` is its text.

    `outputs` are the numbers of a tree of that structure. ArithmeticError where the result is nan, if that may be for
    want of the chain rule's 0 · ∞ = 0: its product is printed as any other, unless a comparison may depend on it.

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
        if not _is_plain(structure):
            self._fill, structure = partial(tree_unflatten, structure), (list, None, len(outputs))
        written = _Writer(inputs, outputs, structure)
        namespace: dict[str, Any] = dict(KERNELS, abs=builtins.abs, inf=inf, nan=nan, array=array)
        namespace |= {name: getattr(math, name) for name in UNBOUNDED}
        for text in written.texts:
            exec(compile(text, f"<jit of {name}>", "exec"), namespace)
        self._run, self.source = namespace["program"], "\n\n".join(written.texts)
        terms = " + ".join(_sums(structure, "y"))
        self._total = eval(f"lambda y: {terms}") if written.plain and terms else None

    def __call__(self, leaves: Sequence[float]) -> Any:
        if not {float}.issuperset(map(type, leaves)):
            raise TypeError("not of floats")
        result = self._run(*leaves)
        if self._total and not self._total(result) <= inf:
            raise ArithmeticError("0 · ∞, perhaps")
        return self._fill(result) if self._fill else result


class Batched:
    """The program of one sample over a batch, as `jit.llvm.Batched`, one by one."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], mapped: list[bool], reduce: list[str]) -> None:
        self._program = Program(inputs, outputs, (list, None, len(outputs)), "a sample")
        self._reduce = reduce
        self.source = self._program.source

    def __call__(self, leaves: list[Any], n: int) -> list[Any]:
        import numpy

        columns: list[Any] = []
        for x in leaves:
            columns += [[x] * n] if type(x) is float else x.reshape(n, -1).T.tolist()
        results = zip(*[self._program(sample) for sample in zip(*columns, strict=True)], strict=True)
        finish: dict[str, Any] = {"": numpy.array, "sum": sum, "mean": lambda numbers: sum(numbers) / n}
        return [finish[how](numbers) for how, numbers in zip(self._reduce, results, strict=True)]


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


def _is_plain(structure: Any, depth: int = 50) -> bool:
    """Whether Python can write a structure down."""
    if type(structure) is not tuple or not depth:
        return structure is NUMBER
    kind, keys, parts = structure
    if kind not in (list, tuple, dict, ARRAY) or (kind is dict and not {str, int, float, bool} >= {*map(type, keys)}):
        return False
    return type(parts) is int or all(_is_plain(part, depth - 1) for part in parts)


class _Writer:
    """The texts of the functions of which the last, `program`, takes the inputs to the result."""

    def __init__(self, inputs: Sequence[Symbol], outputs: list[Any], structure: Any) -> None:
        taken = [*KERNELS, "array", "inf", "nan", "program"]
        self.names = dict.fromkeys(taken, 1)  # how often each was wished
        self.written: dict[int, tuple[str, int, bool]] = {}  # by symbol: its text, how it binds, whether it may raise
        arguments = [self.name(x.label) for x in inputs]
        self.written |= {x.index: (name, 9, False) for x, name in zip(inputs, arguments, strict=True)}
        lines = needed(outputs)
        has_times = any(x.operation == "times" for x in lines)
        self.careful = has_times and any(x.operation in CONDITIONS and x.by_chain for x in lines)
        self.plain = has_times and not self.careful
        self.guards: dict[int, Guard] = {}
        if any(symbol.operation == "where" for symbol in lines):
            self.guards = _guards(lines, outputs)
            lines = _conditions_first(lines, self.guards)
        uses = Counter([x.index for s in lines for x in s.operands if isinstance(x, Symbol)])
        uses.update([y.index for y in outputs if isinstance(y, Symbol)])
        statements = self._statements(lines, uses)
        self.texts = self._functions(arguments, statements, self._structured(structure, iter(outputs)))

    def name(self, wish: str) -> str:
        """`wish` as a name that is not taken."""
        name = re.sub(r"\W", "_", wish, flags=re.ASCII)[:40]
        name = name if name.isidentifier() and not iskeyword(name) and not name.startswith("__") else f"_{name}"
        free = name
        while count := self.names.get(free, 0):
            self.names[free] = count + 1
            free = f"{name}_{count}"
        self.names[free] = 1
        return free

    def _statements(self, lines: list[Symbol], uses: Counter[int]) -> list[tuple[str, str]]:
        """A name and its line for each number that has one."""
        found: list[tuple[str, str, bool]] = []  # a name, what it stands for, and whether the chain rule made it
        counts = {"t": 0, "d": 0}
        for symbol in lines:
            if not symbol.operation:
                continue
            text, binds = self._text(symbol)
            raises = symbol.operation not in CALM or any(
                self.written[x.index][2] for x in symbol.operands if isinstance(x, Symbol)
            )
            if uses[symbol.index] > 1 or len(text) > WIDTH - 30:
                if raises and (guard := self.guards.get(symbol.index)):
                    nothing = "0.0" if symbol.operation not in SEVERAL else f"[0.0] * {len(symbol.operands)}"
                    text = f"{text if binds else f'({text})'} if {self._guard(guard)} else {nothing}"
                kind = "d" if symbol.by_chain else "t"
                counts[kind] += not symbol.label
                name = self.name(symbol.label or f"{kind}{counts[kind]}")
                found.append((name, text, symbol.by_chain))
                text, binds, raises = name, 9, False
            self.written[symbol.index] = text, binds, raises
        statements = [(name, f"{name} = {text}") for name, text, _ in found]
        first = next((i for i, (*_, by_chain) in enumerate(found) if by_chain), 0)
        if first and all(by_chain for *_, by_chain in found[first:]):  # values first, then derivatives: reverse mode
            statements.insert(first, ("", "# derivatives, by the chain rule"))
        return statements

    def _text(self, symbol: Symbol) -> tuple[str, int]:
        """An operation as text, and how strongly it binds."""
        operation, operands = symbol.operation, symbol.operands
        if operation == "times" and not self.careful:
            operation = "mul"
        if operation == "where":
            condition, x, y = operands
            return f"{self._operand(x, 1)} if {self._operand(condition, 1)} else {self._operand(y)}", 0
        if operation == "item":
            return f"{self._operand(operands[0], 9)}[{operands[1]}]", 9
        if operation == "pow" and type(y := operands[1]) is float and y in (2.0, 3.0, 4.0):
            return f"{self._operand(operands[0], 9)}**{y}", 8  # the same number, sooner; `math.pow` raises other errors
        if operation in TEXTS:
            text, binds = TEXTS[operation]
            right = binds + (operation not in ("neg", "not", "and", "or"))  # of (a - b) - c and a - (b - c), the second
            left = right if operation in COMPARISONS.values() else binds  # needs its parentheses; a < b < c is another
            return text.format(*[self._operand(x, b) for x, b in zip(operands, (left, right), strict=False)]), binds
        return RULES[operation].program([self._operand(x) for x in operands]).removesuffix("[0]"), 9

    def _operand(self, x: Any, binds: int = 0) -> str:
        """A number as the operand of what binds so strongly."""
        if not isinstance(x, Symbol):
            return f"({x!r})" if binds > 4 and repr(x).startswith("-") else repr(x)
        text, own, _ = self.written[x.index]
        return f"({text})" if own < binds else text

    def _guard(self, guard: Guard) -> str:
        """That all of these conditions hold; a condition that is itself needed only on some side comes after others."""
        in_order = sorted(guard, key=lambda part: (len(self.guards.get(part[0], ())), part))
        texts = []
        for index, side in in_order:
            text, binds, _ = self.written[index]
            least = 2 if side else 4
            texts.append(f"{'' if side else 'not '}{f'({text})' if binds < least else text}")
        return " and ".join(texts)

    def _structured(self, structure: Any, outputs: Iterator[Any]) -> str:
        """The result, as Python writes it; a tuple without parentheses, if it has a line to itself."""
        text = self._tree(structure, outputs)
        return text[1:-1] if structure[0] is tuple and structure[2] not in (0, 1) and len(text) < WIDTH - 10 else text

    def _tree(self, structure: Any, outputs: Iterator[Any]) -> str:
        if structure is NUMBER:
            return self._operand(next(outputs))
        kind, rest, parts = structure
        texts = [self._tree(part, outputs) for part in ([NUMBER] * parts if type(parts) is int else parts)]
        if kind is dict:
            items = [f"{key!r}: ".replace(" ", GLUE) + text for key, text in zip(rest, texts, strict=True)]
            return f"{{{', '.join(items)}}}"
        if kind is ARRAY:
            return f"array({rest}, [{', '.join(texts)}])"
        return f"[{', '.join(texts)}]" if kind is list else f"({', '.join(texts)}{',' * (len(texts) == 1)})"

    def _functions(self, arguments: list[str], statements: list[tuple[str, str]], returned: str) -> list[str]:
        """The program as one function or, if it is long, with its lines in several others."""
        if len(statements) <= PART:
            return [_function("program", arguments, [line for _, line in statements], returned)]
        texts, calls, known = [], [], set(arguments)
        parts = [statements[i : i + PART] for i in range(0, len(statements), PART)]
        words = [_words(line for _, line in part) for part in parts]
        last_use = {word: i for i, ws in enumerate([*words, _words([returned])]) for word in ws}
        for i, part in enumerate(parts):
            name, given = self.name(f"part{i + 1}"), sorted(words[i] & known)
            results = [result for result, _ in part if last_use.get(result, i) > i]
            texts.append(_function(name, given, [line for _, line in part], f"[{', '.join(results)}]"))
            calls.append(
                f"{f'({results[0]},)' if len(results) == 1 else ', '.join(results)} = {name}({', '.join(given)})"
            )
            known.update(results)
        return [*texts, _function("program", arguments, calls, returned)]


# What is needed when --------------------------------------------------------------------------------------------------


def _guards(lines: list[Symbol], outputs: list[Any]) -> dict[int, Guard]:
    """By symbol, conditions that hold wherever the symbol is needed."""
    guards: dict[int, Guard] = {y.index: frozenset() for y in outputs if isinstance(y, Symbol)}
    for symbol in reversed(lines):  # users first: they were made later
        guard = guards[symbol.index]
        for i, x in enumerate(symbol.operands):
            if isinstance(x, Symbol):
                here = guard
                if i and symbol.operation in ("where", "and", "or"):
                    here = guard | _parts(symbol.operands[0], i == 1 and symbol.operation != "or")
                if len(here) > 6:  # fewer conditions are always right
                    here = guard
                guards[x.index] = guards.get(x.index, here) & here
    return guards


def _parts(condition: Symbol, side: bool) -> Guard:
    """What has to hold, if a condition has to: of "a and b", both; for "not (a or b)", neither."""
    found, stack = set(), [(condition, side)]
    while stack:
        c, side = stack.pop()
        if c.operation == "not":
            stack.append((c.operands[0], not side))
        elif c.operation == ("and" if side else "or"):
            stack += [(x, side) for x in c.operands]
        else:
            found.add((c.index, side))
    return frozenset(found)


def _conditions_first(lines: list[Symbol], guards: dict[int, Guard]) -> list[Symbol]:
    """The same lines in an order in which conditions stand before what is needed only if they hold."""
    by_index = {symbol.index: symbol for symbol in lines}
    found: dict[int, Symbol] = {}
    for line in lines:
        stack = [(line, False)]
        while stack:
            symbol, is_ready = stack.pop()
            if symbol.index in found:
                continue
            if is_ready:
                found[symbol.index] = symbol
            else:
                before = [x for x in symbol.operands if isinstance(x, Symbol)]
                stack += [(symbol, True), *[(x, False) for x in before]]
                stack += [(by_index[index], False) for index, _ in guards[symbol.index]]
    return list(found.values())


# Lines ----------------------------------------------------------------------------------------------------------------


def _function(name: str, arguments: list[str], lines: list[str], returned: str) -> str:
    body = [_wrapped(f"    {line}") for line in [*lines, f"return{GLUE}{returned}"]]
    return "\n".join([_wrapped(f"def {name}({', '.join(arguments)}):"), *body])


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}


GLUE = "\0"  # a space at which a line is not to be divided


def _wrapped(line: str) -> str:
    """A line, or if it is long, several."""
    if len(line) <= WIDTH:
        return line.replace(GLUE, " ")
    target, sign, rest = line.partition(" = ")
    if sign and "," in target:
        line = f"    ({target.strip(' ()')}){GLUE}={GLUE}{rest}"  # not to be divided here
    elif sign:
        line = f"{target}{GLUE}={GLUE}({rest})"
    text = line.strip()
    indent = " " * (len(line) - len(text))
    lines = wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace(GLUE, " ")
