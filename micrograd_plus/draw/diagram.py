"""The diagram of an expression, in graphviz's language.

A box is a Value: an input has round corners, a result a double outline, and what has no box is a constant. An arrow
leads from an operand to the operation, the first operand uppermost, and carries the partial derivative: along the
arrows tangents are multiplied by it, against them gradients. The colour is the gradient: blue above 0, orange below,
and the darker the larger.

What was made in a module of a network can be framed, or folded into one box: modules.py finds it.
"""

from __future__ import annotations

from itertools import count
from math import inf, log10

from ..machinery.digits import NOTHING
from ..machinery.operators import sound
from ..tape import tape
from ..value import Value, bottom
from .formulas import cut, formula, partial_formulas
from .modules import Box, Group, boxes_of, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, NoReturn

    from .picture import Digraph

SHOW = ("data", "grad", "tangent", "partials", "formulas")
FONT = {"fontname": "Helvetica"}  # one, of which the engines know the widths; fit.py names those that look alike
GRAPH = FONT | {"ranksep": "0.4", "nodesep": "0.2", "ordering": "in"}
NODE = FONT | {"shape": "box", "color": "#555555", "fontsize": "13", "margin": "0.1,0.06"}
EDGE = FONT | {"color": "#777777", "fontcolor": "#333333", "fontsize": "10", "arrowsize": "0.6"}
FRAME = FONT | {"color": "#999999", "fontcolor": "#444444", "fontsize": "12", "style": "rounded", "labeljust": "l"}
CONSTANT = {"shape": "plaintext", "fontsize": "11", "margin": "0.04", "width": "0", "height": "0"}
UNKNOWN = "draw_dot: inside jit the numbers are not known yet; call the function without jit to draw"
LABEL = 300  # characters: a longer label is cut

# What draws nothing that can be seen, or turns the order of what follows round: controls, surrogates, and the marks of
# writing from right to left, https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
UNSEEN = "[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def draw_dot(
    root: Value | Iterable[Any],
    format: str = "svg",
    rankdir: str = "LR",
    *,
    groups: str | Iterable[str] | bool = (),
    fold: str | Iterable[str] | bool = (),
    scale: str = "linear",
    show: Iterable[str] = SHOW[:4],
    number: str | Callable[[Any], object] = "{:.4g}",
    max_nodes: int | None = 2000,
    names: bool | Mapping[Value, str] = False,
    engine: str | None = None,
    timeout: float | None = None,
) -> Digraph:
    """The expression that led to `root`, or to the Values in a list or an array, as a `graphviz.Digraph`.

    It shows itself in a notebook; `.render(outfile="x.svg")` writes x.svg, and x.gv unless `cleanup=True`;
    `.pipe("png")` returns the bytes of a picture, and `.source` is its text in graphviz's language. `rankdir` is where
    the arrows lead: "LR", "TB", "RL", "BT". `show` chooses the numbers, of "data", "grad", "tangent", "partials";
    with "formulas" an arrow says `∂ x = 2` for `∂ 2`. `number`, a format string or a function, writes them. With
    `names` numbers without a label are called v1, v2, ... in the order of the tape; it may also be a dict, of all their
    names. TypeError if `root` is no Value, ValueError if the drawing has more than `max_nodes` nodes; None is no limit.

    `groups` are modules to be framed with all that was made in them, and `fold` such as shall be one box for each call:
    kinds, as "Neuron", or names, as "layers.0.neurons.3"; one or several, or True for all; ValueError if there is none
    of that name. An arrow into a folded module carries the derivative of its result, if that is one. `scale="log"` is
    for gradients of many orders of magnitude: the smallest, or 1e-16 of the largest, is almost white.

    The picture is made by one of the programs in engines.py, `engine` if one is named, which may take `timeout`
    seconds, by default 60. RuntimeError if none can, which says what to install.

    >>> x = Value(3.0, label="x")
    >>> picture = draw_dot(x * x)
    >>> picture.source.count("->")
    2
    """
    from .engines import ENGINES
    from .picture import Digraph

    roots = roots_of(root)
    if rankdir not in ("LR", "TB", "RL", "BT"):
        raise ValueError(f"draw_dot: rankdir must be LR, TB, RL or BT, got {rankdir!r}")
    if scale not in ("linear", "log"):
        raise ValueError(f"draw_dot: scale must be linear or log, got {scale!r}")
    if engine is not None and engine not in ENGINES:
        raise ValueError(f"draw_dot: engine must be {', '.join(ENGINES)}, got {engine!r}")
    shown = {show} if isinstance(show, str) else set(show)
    if not shown.issubset(SHOW):
        raise ValueError(f"draw_dot: show takes {', '.join(SHOW)}; got {show!r}")
    if not callable(number) and "{" not in str(number):
        raise TypeError(f"draw_dot: number must be a function or a format string like '{{:.4g}}', got {number!r}")
    nodes = tape(*roots)
    for node in nodes:
        if type(bottom(node.data)).__name__ == "Symbol":
            raise TypeError(UNKNOWN)
    for x in tape(*roots):
        if x.left is None:
            sound(x)
    boxes = boxes_of(nodes, roots, groups, fold)
    size = len(boxes) + sum(partial is None for box in boxes for _, partial in box.inputs)
    if max_nodes is not None and size > max_nodes:
        raise ValueError(
            f"draw_dot: {size} nodes are more than max_nodes={max_nodes}: pass max_nodes={size} to draw them all, "
            "or draw a part, from a Value inside the expression, or one sample, or a network folded, as by fold='Layer'"
        )
    graph = Digraph(format=format, graph_attr=GRAPH | {"rankdir": rankdir}, node_attr=NODE, edge_attr=EDGE)
    graph.program, graph.timeout = engine, timeout
    frames = _frames(graph, boxes)
    arrows = graph if len(frames) == 1 else Digraph()  # after the frames: graphviz places what it reads first first
    home = {x: box for box in boxes for x in box.values}
    numbers = dict(names) if isinstance(names, dict) else numbered(nodes) if names else {}
    slot = getattr(number, "slot", None)  # for a page, whose numbers change: what holds the place of each
    ends: dict[Value, str] = {}
    for i, box in enumerate(boxes):
        ends |= {x: f"n{i}:p{j}" if len(box.values) > 1 else f"n{i}" for j, x in enumerate(box.values)}
    sizes = [size for x in home if 0.0 < (size := abs(bottom(x.grad))) < inf] or [0.0]
    smallest, largest = None if scale == "linear" else min(sizes), max(sizes)

    def text(x: Any, owner: Any = None, place: Any = None) -> str:
        if slot and owner is not None:
            return str(slot(owner, place))
        try:
            return str(number(bottom(x)) if callable(number) else number.format(bottom(x)))
        except (LookupError, ValueError) as error:
            raise ValueError(f"draw_dot: number={number!r} cannot write {bottom(x)!r}: {error}") from None

    def name(x: Value, box: Box) -> str:
        return short(numbers.get(x, x.label), box.around)

    def rows(x: Value) -> list[tuple[str, str]]:
        keys = [key for key in SHOW[:3] if key in shown and (key != "tangent" or slot or x.tangent is not NOTHING)]
        return [(key, text(getattr(x, key), x, key)) for key in keys]

    for i, box in enumerate(boxes):
        frame, node, several = frames[box.around], box.values[0], len(box.values) > 1
        slopes: list[str] = []
        fills = [_color(bottom(x.grad) if "grad" in shown else 0.0, largest, smallest) for x in box.values]
        if box.module is None:
            parts = [name(x, box) or "·" if isinstance(x, Value) else text(x) for x, _ in box.inputs]
            slopes = [cut(slope, 40) for slope in partial_formulas(node, parts)] if "formulas" in shown else []
            table = _table([_title(name(node, box), formula(node.rule, parts))], rows(node))
        elif several:
            table = _grid(box, [name(x, box) for x in box.values], [rows(x) for x in box.values], fills, rankdir)
        else:
            table = _table([*_titles(box), _title(name(node, box))], rows(node))
        frame.node(
            f"n{i}",
            table,
            style="filled" if node.rule.name else "filled,rounded",
            fillcolor="#ffffff" if several else fills[0],
            peripheries="2" if any(x is root for x in box.values for root in roots) else "1",
        )
        for j, (x, partial) in enumerate(box.inputs):
            if partial is None:
                label = f"{short(x.label, box.around)} = {text(x)}" if isinstance(x, Value) and x.label else text(x)
                frame.node(f"n{i}_{j}", f"<{_escape(label)}>", **CONSTANT)
                arrows.edge(f"n{i}_{j}", f"n{i}", color="#bbbbbb", arrowhead="none")
            else:
                label = text(partial, box, j) if "partials" in shown or slopes else ""
                if slopes and slopes[j] not in ("", label):
                    label = f"{slopes[j]} = {label}"
                label = f"< ∂ {_escape(label)} >" if ("partials" in shown or slopes) and not several else ""
                weight = {"weight": "8" if x.rule.name else "1"}  # long chains go straight
                if x.rule.name and box.module is None and home[x].around != box.around:
                    weight["minlen"] = "2"  # between two frames there is room for the parameters of the second
                arrows.edge(ends[x], f"n{i}", label, **weight)
    for around in sorted(frames, key=len, reverse=True)[:-1]:
        frames[around[:-1]].subgraph(frames[around])
    if arrows is not graph:
        graph.body += arrows.body
    return graph


def numbered(nodes: Iterable[Value], taken: Iterable[str] = ()) -> dict[Value, str]:
    """Names for those of the nodes that have no label: v1, v2, ..., but none that is a label or taken.

    >>> x = Value(2.0, label="x")
    >>> [*numbered(tape(-x * x)).values()]
    ['v1', 'v2']
    """
    nodes = list(nodes)
    taken = {*taken, *[x.label for x in nodes]}
    free = (name for i in count(1) if (name := f"v{i}") not in taken)
    return {x: next(free) for x in nodes if not x.label}


def roots_of(root: Any) -> list[Value]:
    """The Values in a structure of lists, tuples, sets, dicts, arrays and generators; TypeError for none, or another.

    >>> [x.data for x in roots_of([Value(1.0), (Value(2.0),)])]
    [1.0, 2.0]
    """
    return _roots(root) or _refuse(root)


def _roots(root: Any) -> list[Value]:
    if isinstance(root, Value):
        return [root]
    if isinstance(root, str | bytes | type) or not hasattr(root, "__iter__"):
        _refuse(root)
    items = root.values() if isinstance(root, dict) else root.ravel() if hasattr(root, "ravel") else root
    return [x for item in items for x in _roots(item)]


def _refuse(root: Any) -> NoReturn:
    if type(root).__name__ == "Symbol":
        raise TypeError(UNKNOWN)
    shown = " ".join(repr(root).split())
    raise TypeError(f"draw_dot: expected a Value or a list of Values, got {cut(shown, 80)} ({type(root).__name__})")


def _title(label: str, operation: str = "") -> str:
    return " = ".join([f"<B>{_escape(label)}</B>"] * bool(label) + [_escape(operation)] * bool(operation))


def _small(text: str) -> str:
    return f'<FONT COLOR="#444444" POINT-SIZE="11">{text}</FONT>'


def _table(titles: list[str], rows: list[tuple[str, str]]) -> str:
    """The text of a box, in graphviz's likeness of HTML."""
    lines = [f'<TD COLSPAN="2">{title}</TD>' for title in titles if title]
    if not lines and not rows:
        lines = ['<TD COLSPAN="2">·</TD>']
    for key, number in rows:
        lines.append(f'<TD ALIGN="LEFT">{_small(key)}</TD><TD ALIGN="RIGHT">  {_escape(number)}</TD>')
    return _html(lines)


def _grid(box: Box, names: list[str], rows: list[list[tuple[str, str]]], fills: list[str], rankdir: str) -> str:
    """The text of a folded module with several results: for each a row, or a column if arrows lead up or down."""
    keys = dict.fromkeys([key for row in rows for key, _ in row])
    grid = [["<TD></TD>", *[f"<TD>{_small(key)}</TD>" for key in keys]]]
    for i, (name, row, fill) in enumerate(zip(names, rows, fills, strict=True)):
        numbers = [f" {_escape(dict(row).get(key, ''))} " for key in keys]
        texts = [_title(name) or "·", *numbers]
        cells = [f'<TD BGCOLOR="{fill}">{text}</TD>' for text in texts]
        end = -1 if rankdir in ("LR", "TB") else 0
        cells[end] = cells[end].replace("<TD", f'<TD PORT="p{i}"', 1)
        grid.append(cells)
    lines = ["".join(cells) for cells in (grid if rankdir in ("LR", "RL") else zip(*grid, strict=True))]
    return _html([f'<TD COLSPAN="{lines[0].count("<TD")}">{title}</TD>' for title in _titles(box)] + lines)


def _html(lines: list[str]) -> str:
    body = "".join(f"<TR>{line}</TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{body}</TABLE>>'


def _titles(box: Box) -> list[str]:
    """What stands on a folded module: its name, its kind, and how many parameters it has."""
    name, kind, n = short(box.module.name, box.around), box.module.kind, len(box.module.parameters)
    size = f"{n} parameter{'s' * (n > 1)}" if n else ""
    return [_title(name or kind), _small(_escape(", ".join(filter(None, [kind * bool(name), size]))))]


def _escape(text: str) -> str:
    """Text that draws as itself: no markup, no graphviz escapes like \\N, no characters that a picture cannot hold."""
    import re
    from html import escape

    lines = cut(text.expandtabs(4), LABEL).splitlines() or [""]
    lines = [re.sub(UNSEEN, lambda match: ascii(match[0])[1:-1], line) for line in lines]
    return "<BR/>".join(escape(line.replace("\\", "\\\\")) or "&#160;" for line in lines)


def _color(grad: float, largest: float, smallest: float | None) -> str:
    """From white at 0 to blue or orange at the largest gradient, by orders of magnitude if `smallest`; grey for nan."""
    if grad != grad:
        return "#dddddd"
    full = (146, 196, 240) if grad > 0.0 else (248, 176, 96)  # equally dark in grey
    size = abs(grad)
    if size >= largest or not size:
        share = 1.0 if size else 0.0
    elif smallest is None:
        share = (size / largest) ** 0.5
    else:
        share = max(1.0 - 0.9 * log10(largest / size) / min(log10(largest / smallest), 16.0), 0.1)
    return "#" + "".join(f"{round(255 - (255 - c) * share):02x}" for c in full)


def _frames(graph: Any, boxes: list[Box]) -> dict[tuple[Group, ...], Any]:
    """By modules, the outermost first, the part of the drawing that is framed by them."""
    frames: dict[tuple[Group, ...], Any] = {(): graph}
    for box in boxes:
        for n, module in enumerate(box.around):
            if box.around[: n + 1] not in frames:
                titles = [_title(short(module.name, box.around[:n])), _escape(module.kind)]
                title = {"label": f"<{' '.join(filter(None, titles))}>"}
                frames[box.around[: n + 1]] = type(graph)(f"cluster_{len(frames)}", graph_attr=FRAME | title)
    return frames
