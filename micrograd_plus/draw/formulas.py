"""Operations and their derivatives, written out as people write them."""

from __future__ import annotations

from ..tape import operands
from ..value import Value, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..rules import Rule


def formula(rule: Rule, names: list[str]) -> str:
    """The operation written out, cut if it is long; of an input, the empty string.

    >>> from micrograd_plus.rules import RULES
    >>> formula(RULES["mul"], ["w", "x"])
    'w * x'
    """
    return cut(rule.text(names), 40)


def cut(text: str, length: int) -> str:
    """The text, or as much of its beginning as there is room for."""
    return text if len(text) <= length else text[: length - 1] + "…"


def partial_formulas(node: Value, names: Sequence[str]) -> list[str]:
    """The partial derivatives of the operation that made `node`, one for each operand, which has that name.

    They are the rule's own, run on Values: what stands there is what was computed. Of a constant, and where the numbers
    have been changed since and are now outside of the operation's domain, it is the empty string.

    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> partial_formulas(x * y, ["x", "y"]), partial_formulas(x**3, ["x", "3"])
    (['y', 'x'], ['3 * x ** 2', ''])
    >>> partial_formulas(x**2, ["x", "2"])
    ['2 * x', '']
    """
    pairs = operands(node)
    point = [bottom(x) if p is None else Value(bottom(x), label=f"_{i}_") for i, (x, p) in enumerate(pairs)]
    try:
        _, *partials = node.rule.partials(*point)
    except (ValueError, ArithmeticError):
        return [""] * len(pairs)
    import re  # takes as long to import as half of this library

    texts = [expression(partial) for partial in partials]
    texts = [re.sub(r"_(\d+)_", lambda match: names[int(match[1])], text) for text in texts]
    return ["" if partial is None else text for text, (_, partial) in zip(texts, pairs, strict=True)]


def expression(x: Any) -> str:
    """The expression that a number is: a label, a constant, or an operation on such; no parenthesis too many.

    >>> expression(2.0 * (Value(1.0, label="x") + 1.0))
    '2 * (x + 1)'
    """
    import ast

    if not isinstance(x, Value):
        return f"{x:.6g}"
    if x.label:
        return x.label
    parts = [f"({expression(operand)})" for operand, _ in operands(x)]
    if x.rule.name == "pow" and parts[1] == "(1)":
        return parts[0][1:-1]
    return ast.unparse(ast.parse(x.rule.text(parts), mode="eval"))
