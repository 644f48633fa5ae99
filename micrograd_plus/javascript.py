"""Rules printed as JavaScript, and as formulas: each is run once over symbols, and what comes out is written down.

    (x, y) => [x * y, y, x]

is all that a page needs of a product: its value, and the partial derivatives. The functions that Math lacks stand in
explore/kernels.js; what is made of others, as silu of sigmoid, is printed too.
"""

from __future__ import annotations

from .printing import in_order
from .rules import FUNCTIONS, RULES, Rule
from .symbols import Foreign, Symbol, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# How an operation is written, if not by the template of its rule.
TEXTS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "truediv": "divide({}, {})", "neg": "-{}"}
TEXTS |= {"==": "{} === {}", "!=": "{} !== {}", "and": "{} && {}", "or": "{} || {}", "where": "{} ? {} : {}"}
TEXTS |= {sign: f"{{}} {sign} {{}}" for sign in ("<", "<=", ">", ">=")} | {"item": "{}[{}]"}
FORMULAS = TEXTS | {"truediv": "{} / {}", "pow": "{} ** {}", "reciprocal": "1 / {}", "chained": "{} * {}"}


def rules(used: Iterable[tuple[Rule, int]], kernels: Iterable[str]) -> tuple[str, list[bool]]:
    """The rules, each for so many operands, as the text of a list of functions; and which of them have no text.

    `kernels` are the functions that JavaScript has. Instead of a rule that has no JavaScript, because it branches on
    its operands, or is made of what has none, there is `null`.

    >>> print(rules([(RULES["mul"], 2)], [])[0])
    const rules = (() => {
      return [
        (x, y) => [x * y, y, x],
      ];
    })();
    """
    functions: dict[str, str] = dict.fromkeys(kernels, "")
    texts = []
    for rule, count in used:
        names = _names(count)
        try:
            inputs = _inputs(names)
            found = dict(functions)
            text = _function(names, list(rule.partials(*inputs)), found)
            functions = found
        except (Exception, Foreign):
            text = "null"
        texts.append(text)
    lines = [f"  const {name} = {text};" for name, text in functions.items() if text]
    body = "\n".join([*lines, "  return [", *[f"    {text}," for text in texts], "  ];"])
    return f"const rules = (() => {{\n{body}\n}})();", [text == "null" for text in texts]


def formulas(rule: Rule, operands: list[float | None]) -> list[str]:
    """The partial derivatives of a rule as formulas of {0}, {1}, ...; of one that chooses, or is long, no text.

    `operands` are the numbers of constants, and None for what varies.

    >>> formulas(RULES["pow"], [None, 2.0]), formulas(RULES["maximum"], [None, 0.0]), formulas(RULES["exp"], [None])
    (['2 * {0}', ''], ['', ''], ['exp({0})'])
    """
    import ast
    import re

    inputs = _inputs([f"_{i}_" for i in range(len(operands))])
    try:
        _, *partials = rule.partials(*[x if c is None else c for x, c in zip(inputs, operands, strict=True)])
    except (Exception, Foreign):
        return [""] * len(operands)
    texts = [_text(x, {}, FORMULAS, {})[0] for x in partials]
    texts = ["" if len(text) > 60 or "?" in text else ast.unparse(ast.parse(text, mode="eval")) for text in texts]
    return [re.sub(r"_(\d+)_", r"{\1}", text) for text in texts]


def _names(count: int) -> list[str]:
    return ["x", "y"][:count] if count <= 2 else [f"x{i}" for i in range(count)]


def _inputs(names: list[str]) -> list[Symbol]:
    trace = Trace(careful=True)
    return [trace.input(name) for name in names]


def _function(names: list[str], results: Any, functions: dict[str, str]) -> str:
    """A function of these names; what it calls comes into `functions`, as text. LookupError if that has none."""
    outputs = results if isinstance(results, list) else [results]
    written: dict[int, str] = {}
    lines: list[str] = []
    for symbol in in_order([x for x in outputs if type(x) is Symbol]):
        name = symbol.operation
        if name in RULES and name not in TEXTS and name not in functions and f"${name}" not in functions:
            functions[f"${name}"] = _composed(RULES[name], len(symbol.operands), functions)
        if symbol.uses > 1 and name:
            text, _ = _text(symbol, written, TEXTS, functions)
            written[symbol.index] = f"t{len(lines) + 1}"
            lines.append(f"const {written[symbol.index]} = {text};")
    texts = ", ".join([_text(x, written, TEXTS, functions)[0] for x in outputs])
    result = texts if results is not outputs else f"[{texts}]"
    head = f"({', '.join(names)}) =>"
    return f"{head} {{ {' '.join(lines)} return {result}; }}" if lines else f"{head} {result}"


def _composed(rule: Rule, count: int, functions: dict[str, str]) -> str:
    if f"{rule.name}(" in rule.template:
        raise LookupError(f"{rule.name} is not in JavaScript")
    names = _names(count)
    value = eval(rule.program(names), FUNCTIONS | dict(zip(names, _inputs(names), strict=True)))
    return _function(names, value, functions)


def _text(x: Any, written: dict[int, str], table: dict[str, str], functions: dict[str, str]) -> tuple[str, bool]:
    """A number as text, and whether it has to be in parentheses as part of another.

    A function that is made of others is called with a $ before its name, which may be a word of JavaScript.
    """
    if type(x) is not Symbol:
        text = repr(x).removesuffix(".0") if type(x) is float else str(x).lower()
        return text, text.startswith("-")
    if x.index in written:
        return written[x.index], False
    if not x.operation:
        return x.operands[0], False
    parts = [_text(operand, written, table, functions) for operand in x.operands]
    template = table.get(x.operation)
    if template is None or template.count("(") == 1:
        texts = [text for text, _ in parts]
        if template:
            return template.format(*texts), False
        rule = RULES[x.operation]
        if rule.sequences:
            return rule.program(texts).removesuffix("[0]"), False
        return f"{'$' * (f'${rule.name}' in functions)}{rule.name}({', '.join(texts)})", False
    return template.format(*[f"({text})" if infix else text for text, infix in parts]), x.operation != "item"
