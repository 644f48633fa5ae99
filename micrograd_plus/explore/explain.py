"""Why a gradient is what it is: in words, or in LaTeX."""

from __future__ import annotations

from ..draw import partial_formulas
from ..functions import is_real
from ..machinery.digits import times
from ..tape import operands, tape
from ..value import Value
from .page import names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATHS = 12  # the most paths that are written out


class Explanation(str):
    """A text that shows itself as it is, also where Python shows what an expression gave.

    >>> Explanation("as it is")
    as it is
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def explain(w: Value, y: Value, *, format: str = "text") -> Explanation:
    """Why ∂y/∂w is what it is: what `w` was made of, and the sum over what it was used for.

    Of an input, also the sum over all paths that lead to it, if they are at most 12, of at most 100 steps each. The
    text is for people; with `format="latex"` it is the formula, for a document with amsmath. No `.grad` is changed.
    TypeError if one is no Value or belongs to a transform, ValueError if `y` was not made of `w`, or for another
    format.

    >>> w, x = Value(2.0, label="w"), Value(3.0, label="x")
    >>> loss = w * x + w
    >>> explain(w, loss)
    w = 2, an input
    ∂v2/∂w = 4
    <BLANKLINE>
    It is used 2 times, and what comes back adds up:
      ∂v2/∂v2 · ∂v2/∂w = 1 · 1 = 1     v2 = v1 + w
      ∂v2/∂v1 · ∂v1/∂w = 1 · 3 = 3     v1 = w * x, ∂v1/∂w = x
    <BLANKLINE>
    2 paths lead to it, and their products add up:
      v2 → w: 1
      v2 → v1 → w: 1 · 3 = 3
    """
    for x in (w, y):
        if not isinstance(x, Value) or x.level or not is_real(x.data):
            raise TypeError(f"explain: expected a Value that is not inside a transform, got {x!r} ({type(x).__name__})")
    if format not in ("text", "latex"):
        raise ValueError(f"explain: format must be text or latex, got {format!r}")
    nodes = tape(y)
    if all(node is not w for node in nodes):
        raise ValueError(f"explain: {y!r} was not made of {w!r}")
    names = dict(zip(nodes, names_of(nodes), strict=True))
    grads = dict.fromkeys(nodes, 0.0) | {y: 1.0}
    uses: dict[Value, list[tuple[Value, int, float]]] = {node: [] for node in nodes}
    for node in reversed(nodes):
        for i, (x, partial) in enumerate(operands(node)):
            if partial is not None:
                grads[x] += times(grads[node], partial)
                uses[x].append((node, i, partial))
    write = _latex if format == "latex" else _text
    return Explanation(write(w, y, names, grads, uses))


def _text(w: Value, y: Value, names: Any, grads: Any, uses: Any) -> str:
    kind = "an input" if not w.rule.name else f"made by {w.rule.text(_operand_names(w, names))}"
    lines = [f"{names[w]} = {w.data:.6g}, {kind}"]
    for i, (x, partial) in enumerate(operands(w)):
        if partial is not None:
            lines.append(f"∂{names[w]}/∂{names[x]} = {_local(w, i, names)}{partial:.6g}")
    lines.append(f"∂{names[y]}/∂{names[w]} = {grads[w]:.6g}" + ": it is the result itself" * (w is y))
    rows = []
    for user, i, partial in uses[w]:
        share = _product([grads[user], partial])
        formula = f"{names[user]} = {user.rule.text(_operand_names(user, names))}"
        local = _local(user, i, names).removesuffix(" = ")
        note = f", ∂{names[user]}/∂{names[w]} = {local}" if local else ""
        rows.append((f"  ∂{names[y]}/∂{names[user]} · ∂{names[user]}/∂{names[w]} = {share}", formula + note))
    if rows:
        times = f"used {len(rows)} times, and what comes back adds up" if len(rows) > 1 else "used once"
        width = max(len(left) for left, _ in rows)
        lines += ["", f"It is {times}:", *[f"{left:<{width}}     {right}" for left, right in rows]]
    if not w.rule.name and (paths := _paths(w, y, uses)):
        many = f"{len(paths)} paths lead to it, and their products add up" if len(paths) > 1 else "One path leads to it"
        lines += ["", f"{many}:"]
        for path in paths:
            way = " → ".join([names[user] for user, _, _ in path] + [names[w]])
            lines.append(f"  {way}: {_product([partial for _, _, partial in path])}")
    return "\n".join(lines)


def _latex(w: Value, y: Value, names: Any, grads: Any, uses: Any) -> str:
    def slope(a: Value, b: Value) -> str:
        return rf"\frac{{\partial {_name(names[a])}}}{{\partial {_name(names[b])}}}"

    if not uses[w]:
        return rf"{slope(y, w)} = {_power(grads[w])}"
    symbols = [rf"{slope(y, user)} \cdot {slope(user, w)}" for user, _, _ in uses[w]]
    numbers = [rf"{_power(grads[user], n)} \cdot {_power(p, True)}" for n, (user, _, p) in enumerate(uses[w])]
    rows = [" + ".join(symbols), " + ".join(numbers), _power(grads[w])]
    body = " \\\\\n  &= ".join(rows)
    return f"\\begin{{align*}}\n{slope(y, w)} &= {body}\n\\end{{align*}}"


def _name(name: str) -> str:
    """A name in LaTeX: v1 with an index, a letter as it is, all else upright."""
    import re

    if match := re.fullmatch(r"([A-Za-z])(\d*)", name):
        return f"{match[1]}_{{{match[2]}}}" if match[2] else match[1]
    special = {c: rf"\{c}" for c in "{}$&#_%"} | {"\\": r"\backslash{}", "~": r"\sim{}", "^": r"\wedge{}"}
    return rf"\mathrm{{{''.join([special.get(c, c) for c in name])}}}"


def _power(x: float, inside: Any = False) -> str:
    """A number in LaTeX, in parentheses if it is a later factor and negative."""
    mantissa, e, exponent = f"{x:.6g}".partition("e")
    text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa.replace("inf", r"\infty")
    return f"({text})" if inside and text.startswith("-") else text


def _operand_names(node: Value, names: Any) -> list[str]:
    return [names[x] if partial is not None else f"{x:.6g}" for x, partial in operands(node)]


def _local(node: Value, place: int, names: Any) -> str:
    """The local derivative as a formula with " = " after it, if it says more than its number."""
    from ..jit import javascript

    texts = _operand_names(node, names)
    constants = [x if partial is None else None for x, partial in operands(node)]
    text = javascript.formulas(node.rule, constants)[place].format(*texts) or partial_formulas(node, texts)[place]
    return f"{text} = " if any(c.isalpha() for c in text) else ""


def _product(factors: list[float]) -> str:
    product = 1.0
    for factor in factors:
        product = times(product, factor)
    texts = [f"({x:.6g})" if i and x < 0.0 else f"{x:.6g}" for i, x in enumerate(factors)]
    return f"{' · '.join(texts)} = {product:.6g}" if len(texts) > 1 else texts[0]


def _paths(w: Value, y: Value, uses: Any) -> list[list[tuple[Value, int, float]]]:
    """The paths from `y` to `w`, each as the uses along it; none at all if they are too many, or too long."""
    found: list[list[tuple[Value, int, float]]] = []
    stack: list[tuple[Value, list[tuple[Value, int, float]]]] = [(w, [])]
    while stack:
        node, path = stack.pop()
        if node is y and path:
            found.append(path)
        stack += [(use[0], [use, *path]) for use in reversed(uses[node])]
        if len(found) > PATHS or len(stack) > 500 or len(path) > 100:
            return []
    return found
