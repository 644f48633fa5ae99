"""A trace as text: lines that name what is used more than once, and expressions of these names, by a table."""

from __future__ import annotations

import re
from collections import Counter
from keyword import iskeyword

from ..rules import RULES
from .trace import Symbol, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from ..functions import Function

    Table = dict[str, tuple[str, int, tuple[int, ...]]]


WIDTH = 70  # an expression that is longer has a name


class Text:
    """What the outputs need as `lines`, each a name, an expression, and whether the chain rule made it; and `results`.

    The `table` says how an operation is written, how strongly that binds, and how strongly its operands have to, as
    the second of a - (b - c). What is not in it is the call of a function; a name or a call binds by 9. What is used
    once, and is not long, stands where it is used; if `inline`, everything does. A name is a label or, for want of one,
    t1, t2, ..., and d1, d2, ... for what the chain rule made; none is one of those `taken`.

    >>> from .trace import Trace
    >>> trace = Trace()
    >>> x, y = trace.input("x"), trace.input("y")
    >>> z = x * y
    >>> text = Text([x, y], [(z + 1.0) / z], {"add": ("{} + {}", 5, (5, 6)), "truediv": ("{} / {}", 6, (6, 7))})
    >>> text.lines, text.results
    ([('t1', 'x * y', False)], ['(t1 + 1.0) / t1'])
    """

    def __init__(
        self, inputs: Sequence[Symbol], outputs: Sequence[Any], table: Table, *, taken: Collection[str] = (),
        number: Function = repr, inline: bool = False,
    ) -> None:  # fmt: skip
        self.table, self.number = table, number
        self.taken = dict.fromkeys(taken, 1)  # how often a name was wished
        self.arguments = [self.name(x.label) for x in inputs]
        self.written = {x.index: (name, 9) for x, name in zip(inputs, self.arguments, strict=True)}
        self.lines: list[tuple[str, str, bool]] = []
        symbols, uses, counts = needed(outputs), Counter[int](), {"t": 0, "d": 0}
        for symbol in symbols:
            uses.update([x.index for x in symbol.operands if isinstance(x, Symbol)])
        uses.update([y.index for y in outputs if isinstance(y, Symbol)])
        for symbol in symbols:
            if symbol.operation:
                text, binds = self.text(symbol)
                if (uses[symbol.index] > 1 or len(text) > WIDTH) and not inline:
                    kind = "d" if symbol.by_chain else "t"
                    counts[kind] += not symbol.label
                    self.lines.append((self.name(symbol.label or f"{kind}{counts[kind]}"), text, symbol.by_chain))
                    text, binds = self.lines[-1][0], 9
                self.written[symbol.index] = text, binds
        self.results = [self.operand(y) for y in outputs]

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

    def text(self, symbol: Symbol) -> tuple[str, int]:
        """An operation as text, and how strongly it binds."""
        operation, operands = symbol.operation, symbol.operands
        if operation == "pow" and type(operands[1]) is float:
            operation = f"pow {operands[1]}" if f"pow {operands[1]}" in self.table else operation
        if operation not in self.table:
            return RULES[operation].program([self.operand(x) for x in operands]).removesuffix("[0]"), 9
        text, binds, least = self.table[operation]
        return text.format(*[self.operand(x, strength) for x, strength in zip(operands, least, strict=True)]), binds

    def operand(self, x: Any, strength: int = 0) -> str:
        """A number as an operand that has to bind so strongly."""
        if not isinstance(x, Symbol):
            text = self.number(x)
            return f"({text})" if strength > 4 and text.startswith("-") else text
        text, binds = self.written[x.index]
        return f"({text})" if binds < strength else text
