"""Diagrams of expressions.

A box is a number: an input (round corners), an operation, or a result (double outline); bare numbers are constants.
An arrow leads from an operand to the operation, and carries the partial derivative of the one with respect to the
other: tangents go along the arrows, multiplied by it, and gradients go back against them. The colour of a box is its
gradient: blue if it is positive, orange if negative, and the darker the larger.
"""

from __future__ import annotations

import os
import sys

from .tape import ZERO, operands, tape
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

SHOW = ("data", "grad", "tangent", "partials")
FONT = {"fontname": "Helvetica,Arial,sans-serif"}
GRAPH = {**FONT, "ranksep": "0.4", "nodesep": "0.2", "ordering": "in"}
NODE = {**FONT, "fontsize": "13", "shape": "box", "style": "filled", "color": "#555555", "margin": "0.1,0.06"}
EDGE = {**FONT, "fontsize": "10", "fontcolor": "#333333", "color": "#777777", "arrowsize": "0.6"}
CONSTANT = {"shape": "plaintext", "style": "", "fontsize": "11", "margin": "0.04", "width": "0", "height": "0"}


def draw_dot(
    root: Value | Sequence[Value],
    format: str = "svg",
    rankdir: str = "LR",
    *,
    show: Iterable[str] = SHOW,
    number: str | Callable[[Any], object] = "{:.4g}",
    max_nodes: int = 1000,
) -> Any:
    """The graph of the expression, or expressions, that `root` is the result of: a `graphviz.Digraph`.

    It shows itself in a notebook, `.render(outfile="x.svg")` writes it to a file, `.pipe("png")` returns it as bytes,
    and `.source` is its text. `rankdir` is its direction, "LR", "TB", "RL" or "BT"; `show` are the numbers to show;
    `number` is how to write them, a format string or a function. TypeError if `root` is no Value, ValueError if there
    are more than `max_nodes` nodes.

    >>> x = Value(3.0, label="x")
    >>> print(draw_dot(x * 2.0, show=["data"]).source)
    """
    roots = list(root) if isinstance(root, list | tuple) else [root]
    if wrong := [x for x in roots if not isinstance(x, Value)] or ([] if roots else [root]):
        raise TypeError(f"draw_dot: expected a Value or a list of Values, got {wrong[0]!r} ({type(wrong[0]).__name__})")
    if rankdir not in ("LR", "TB", "RL", "BT"):
        raise ValueError(f"draw_dot: rankdir must be 'LR', 'TB', 'RL' or 'BT', got {rankdir!r}")
    parts = {show} if isinstance(show, str) else set(show)
    if unknown := parts.difference(SHOW):
        raise ValueError(f"draw_dot: show is to be chosen from {', '.join(SHOW)}, got {sorted(unknown)}")
    nodes = tape(*roots)
    count = len(nodes) + sum(partial is None for node in nodes for _, partial in operands(node))
    if count > max_nodes:
        raise ValueError(
            f"draw_dot: {count} nodes are more than max_nodes={max_nodes}: pass max_nodes={count} to draw them all, "
            "or draw a part, an operand of this expression"
        )

    def write(x: Any) -> str:
        return str(number(_inner(x)) if callable(number) else number.format(_inner(x)))

    def name(x: Any) -> str:
        return x.label or "·" if isinstance(x, Value) else write(x)

    graph = _drawing()(format=format, graph_attr={**GRAPH, "rankdir": rankdir}, node_attr=NODE, edge_attr=EDGE)
    names = {node: f"n{i}" for i, node in enumerate(nodes)}
    largest = max((abs(g) for g in map(_inner, [node.grad for node in nodes]) if abs(g) < float("inf")), default=0.0)
    for node in nodes:
        title = f"<B>{_html(node.label)}</B>" if node.label else ""
        if node.rule.name:
            text = _text(node.rule, [name(x) for x, _ in operands(node)])
            title = f"{title} = {_html(text)}" if title else _html(text)
        numbers = [
            (part, write(getattr(node, part)))
            for part in ("data", "grad", "tangent")
            if part in parts and (part != "tangent" or node.tangent is not ZERO)
        ]
        style = "filled" if node.rule.name else "rounded,filled"
        color = _color(_inner(node.grad), largest) if "grad" in parts else "#ffffff"
        outline = "2" if any(node is x for x in roots) else "1"
        graph.node(names[node], _table(title, numbers), style=style, fillcolor=color, peripheries=outline)
        for i, (x, partial) in enumerate(operands(node)):
            if partial is not None:
                label = f"<{_html(write(partial))}>" if "partials" in parts else None
                graph.edge(names[x], names[node], label)
            else:
                text = f"{x.label} = {write(x)}" if isinstance(x, Value) and x.label else write(x)
                graph.node(f"{names[node]}c{i}", f"<{_html(text)}>", **CONSTANT)
                graph.edge(f"{names[node]}c{i}", names[node], color="#bbbbbb", arrowhead="none")
    return graph


def _inner(x: Any) -> Any:
    """The number inside a Value of any depth."""
    while isinstance(x, Value):
        x = x.data
    return x


def _text(rule: Any, names: list[str]) -> str:
    """The operation as it is best read: a template that is a formula is no match for the name of the function."""
    is_short = rule.name in rule.template or not any(c.isalnum() for c in rule.template.format(x="", y=""))
    text = rule.text(names) if is_short else f"{rule.name}({', '.join(names)})"
    return text if len(text) <= 40 else text[:39] + "…"


def _html(text: str) -> str:
    import html

    return html.escape(text.replace("\\", "\\\\")).replace("\n", "<BR/>")


def _table(title: str, numbers: list[tuple[str, str]]) -> str:
    rows = [f'<TR><TD COLSPAN="2">{title}</TD></TR>'] if title else []
    rows += [
        f'<TR><TD ALIGN="LEFT"><FONT COLOR="#444444" POINT-SIZE="11">{part}</FONT></TD>'
        f'<TD ALIGN="RIGHT">{_html(text)}</TD></TR>'
        for part, text in numbers
    ]
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>>'


def _color(grad: float, largest: float) -> str:
    if grad != grad:
        return "#dddddd"
    end = (130, 180, 225) if grad > 0.0 else (248, 176, 96)
    share = min(abs(grad) / largest, 1.0) ** 0.5 if grad and largest else float(grad != 0.0)
    return "#" + "".join(f"{round(255 - (255 - c) * share):02x}" for c in end)


def _drawing() -> Any:
    import graphviz

    return graphviz.Digraph
