"""The printer of JavaScript: rules as functions of a page, and their partial derivatives as formulas to be read.

    (x, y) => [x * y, y, x]

is all that a page needs of a product: its value, and the partial derivatives. A rule is run once on symbols, and what
comes out is written by one table of texts. The functions that Math lacks stand in explore/kernels.js.
"""

from __future__ import annotations

from collections import Counter

from ..rules import RULES, Rule
from .trace import Symbol, Trace, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

# How an operation is written; one that is not here is the call of a function of its name.
TEXTS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "truediv": "divide({}, {})", "neg": "-{}"}
TEXTS |= {"==": "{} === {}", "!=": "{} !== {}", "and": "{} && {}", "or": "{} || {}", "not": "!{}"}
TEXTS |= {sign: f"{{}} {sign} {{}}" for sign in ("<", "<=", ">", ">=")} | {"where": "{} ? {} : {}", "item": "{}[{}]"}
FORMULAS = TEXTS | {"truediv": "{} / {}", "pow": "{} ** {}", "reciprocal": "1 / {}", "times": "{} * {}"}


def rules(used: Iterable[tuple[Rule, int]], kernels: Collection[str]) -> tuple[str, list[bool]]:
    """The rules, each for so many operands, as the text of a list of functions; and which of them have no text.

    `kernels` are the functions that JavaScript has. Instead of a rule that has no JavaScript, because it branches on
    its operands, or is made of what has none, there is `null`.

    >>> print(rules([(RULES["mul"], 2)], [])[0])
    const rules = [
      (x, y) => [x * y, y, x],
    ];
    """
    texts = []
    for rule, count in used:
        names = ["x", "y"][:count] if count <= 2 else [f"x{i}" for i in range(count)]
        results = record(rule, names)
        known = results is not None and all(
            x.operation in kernels or x.operation in ("", *TEXTS) for x in needed(results)
        )
        texts.append(_function(names, results) if results is not None and known else "null")
    body = "".join([f"  {text},\n" for text in texts])
    return f"const rules = [\n{body}];", [text == "null" for text in texts]


def formulas(rule: Rule, operands: list[float | None]) -> list[str]:
    """The partial derivatives of a rule as formulas of {0}, {1}, ...; of one that chooses, or is long, no text.

    `operands` are the numbers of constants, and None for what varies.

    >>> formulas(RULES["pow"], [None, 2.0]), formulas(RULES["maximum"], [None, 0.0]), formulas(RULES["exp"], [None])
    (['2 * {0}', ''], ['', ''], ['exp({0})'])
    """
    import ast
    import re

    _, *partials = record(rule, [f"_{i}_" if x is None else x for i, x in enumerate(operands)]) or ["", *operands]
    texts = [_text(x, {}, FORMULAS)[0] if type(x) is not str else "" for x in partials]
    texts = ["" if len(text) > 60 or "?" in text else ast.unparse(ast.parse(text, mode="eval")) for text in texts]
    return [re.sub(r"_(\d+)_", r"{\1}", text) for text in texts]


def record(rule: Rule, operands: list[Any]) -> list[Any] | None:
    """What a rule makes of symbols of these names, and of constants; None if it cannot do without their numbers.

    (A trace looks for a `try` around what it records, which would catch errors of the numbers, up to this name.)
    """
    trace = Trace()
    try:
        results = list(rule.partials(*[trace.input(x) if type(x) is str else x for x in operands]))
    except Exception:  # a rule of the user's own may fail in any way
        return None
    return None if trace.refused else results


def _function(names: list[str], results: list[Any]) -> str:
    """A function of these names; what is used more than once has a name of its own."""
    order = needed(results)
    everything = [*results, *[operand for symbol in order for operand in symbol.operands]]
    uses = Counter([x.index for x in everything if isinstance(x, Symbol)])
    written: dict[int, str] = {}
    lines: list[str] = []
    for symbol in order:
        if symbol.operation and uses[symbol.index] > 1:
            text, _ = _text(symbol, written, TEXTS)
            written[symbol.index] = f"t{len(lines) + 1}"
            lines.append(f"const {written[symbol.index]} = {text};")
    head, result = f"({', '.join(names)}) =>", f"[{', '.join([_text(x, written, TEXTS)[0] for x in results])}]"
    return f"{head} {{ {' '.join(lines)} return {result}; }}" if lines else f"{head} {result}"


def _text(x: Any, written: dict[int, str], table: dict[str, str]) -> tuple[str, bool]:
    """A number as text, and whether it has to be in parentheses as part of another."""
    if not isinstance(x, Symbol):
        text = repr(x).removesuffix(".0")
        return text, text.startswith("-")
    if not x.operation or x.index in written:
        return written.get(x.index, x.label), False
    parts = [_text(operand, written, table) for operand in x.operands]
    texts = [text for text, _ in parts]
    if x.operation not in table:
        rule = RULES[x.operation]
        if rule.sequences:
            return rule.program(texts).removesuffix("[0]"), False
        return f"{rule.name}({', '.join(texts)})", False
    if table[x.operation].endswith(")"):
        return table[x.operation].format(*texts), False
    return table[x.operation].format(*[f"({text})" if infix else text for text, infix in parts]), x.operation != "item"
