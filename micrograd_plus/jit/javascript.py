"""The printer of JavaScript: rules as functions of a page, and their partial derivatives as formulas to be read.

    (x, y) => [x * y, y, x]

is all that a page needs of a product: its value, and the partial derivatives. A rule is run once on symbols, and what
comes out is written by one table of texts. The functions that Math lacks stand in explore/kernels.js.
"""

from __future__ import annotations

from ..rules import Rule
from .text import Text
from .trace import Symbol, Trace, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

    from .text import Table

TEXTS: Table = {
    "where": ("{} ? {} : {}", 0, (1, 1, 0)),
    "or": ("{} || {}", 1, (1, 1)),
    "and": ("{} && {}", 2, (2, 2)),
    "==": ("{} === {}", 3, (4, 4)),
    "!=": ("{} !== {}", 3, (4, 4)),
    "add": ("{} + {}", 5, (5, 6)),
    "sub": ("{} - {}", 5, (5, 6)),
    "mul": ("{} * {}", 6, (6, 7)),
    "truediv": ("divide({}, {})", 9, (0, 0)),
    "neg": ("-{}", 7, (8,)),
    "not": ("!{}", 7, (8,)),
    "item": ("{}[{}]", 9, (9, 0)),
}
TEXTS |= {sign: (f"{{}} {sign} {{}}", 4, (5, 5)) for sign in ("<", "<=", ">", ">=")}
FORMULAS: Table = TEXTS | {"truediv": ("{} / {}", 6, (6, 7)), "pow": ("{} ** {}", 8, (9, 9))}
FORMULAS |= {"reciprocal": ("1 / {}", 6, (7,)), "times": TEXTS["mul"]}


def rules(used: Iterable[tuple[Rule, int]], kernels: Collection[str]) -> tuple[str, list[bool]]:
    """The rules, each for so many operands, as the text of a list of functions; and which of them have no text.

    `kernels` are the functions that JavaScript has. Instead of a rule that has no JavaScript, because it branches on
    its operands, or is made of what has none, there is `null`.

    >>> from micrograd_plus.rules import RULES
    >>> print(rules([(RULES["mul"], 2)], [])[0])
    const rules = [
      (x, y) => [x * y, y, x],
    ];
    """
    texts = []
    for rule, count in used:
        names = ["x", "y"][:count] if count <= 2 else [f"x{i}" for i in range(count)]
        inputs, results = record(rule, names)
        known = results and all(x.operation in kernels or x.operation in ("", *TEXTS) for x in needed(results))
        texts.append(_function(Text(inputs, results, TEXTS, number=_number)) if known else "null")
    body = "".join([f"  {text},\n" for text in texts])
    return f"const rules = [\n{body}];", [text == "null" for text in texts]


def formulas(rule: Rule, operands: list[float | None]) -> list[str]:
    """The partial derivatives of a rule as formulas of {0}, {1}, ...; of one that chooses, or is long, no text.

    `operands` are the numbers of constants, and None for what varies.

    >>> from micrograd_plus.rules import RULES
    >>> formulas(RULES["pow"], [None, 2.0]), formulas(RULES["maximum"], [None, 0.0]), formulas(RULES["exp"], [None])
    (['2 * {0}', ''], ['', ''], ['exp({0})'])
    """
    import re

    inputs, results = record(rule, [f"_{i}_" if x is None else x for i, x in enumerate(operands)])
    if not results:
        return [""] * len(operands)
    texts = [Text(inputs, [x], FORMULAS, number=_number, inline=True).results[0] for x in results[1:]]
    return ["" if len(text) > 60 or "?" in text else re.sub(r"_(\d+)_", r"{\1}", text) for text in texts]


def record(rule: Rule, operands: list[Any]) -> tuple[list[Symbol], list[Any]]:
    """Symbols of these names, and what a rule makes of them and of constants; nothing if it needs their numbers.

    (A trace looks for a `try` around what it records, which would catch errors of the numbers, up to this name.)
    """
    trace = Trace()
    given = [trace.input(x) if type(x) is str else x for x in operands]
    try:
        results = list(rule.partials(*given))
    except Exception:  # a rule of the user's own may fail in any way
        results = []
    return [x for x in given if isinstance(x, Symbol)], [] if trace.refused else results


def _number(x: float) -> str:
    return repr(x).removesuffix(".0")


def _function(text: Text) -> str:
    """A function; what is used more than once has a name of its own."""
    head, result = f"({', '.join(text.arguments)}) =>", f"[{', '.join(text.results)}]"
    lines = " ".join([f"const {name} = {value};" for name, value, _ in text.lines])
    return f"{head} {{ {lines} return {result}; }}" if lines else f"{head} {result}"
