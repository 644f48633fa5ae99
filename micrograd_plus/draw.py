"""Diagrams of expressions.

A box is a Value: an input has round corners, a result a double outline, and what has no box is a constant. An arrow
leads from an operand to the operation, the first operand uppermost, and carries the partial derivative: along the
arrows tangents are multiplied by it, against them gradients. The colour is the gradient: blue above 0, orange below,
and the darker the larger.
"""

from __future__ import annotations

import os
import sys

from .tape import ZERO, operands, tape
from .value import Value, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from .rules import Rule

SHOW = ("data", "grad", "tangent", "partials")
FONT = {"fontname": "Helvetica,Arial,sans-serif"}
GRAPH = FONT | {"ranksep": "0.4", "nodesep": "0.2", "ordering": "in"}
NODE = FONT | {"shape": "box", "color": "#555555", "fontsize": "13", "margin": "0.1,0.06"}
EDGE = FONT | {"color": "#777777", "fontcolor": "#333333", "fontsize": "10", "arrowsize": "0.6"}
CONSTANT = {"shape": "plaintext", "fontsize": "11", "margin": "0.04", "width": "0", "height": "0"}


def draw_dot(
    root: Value | Sequence[Value],
    format: str = "svg",
    rankdir: str = "LR",
    *,
    show: Iterable[str] = SHOW,
    number: str | Callable[[Any], object] = "{:.4g}",
    max_nodes: int = 1000,
) -> Any:
    """The expression that led to `root`, or to the Values in the list `root`, as a `graphviz.Digraph`.

    It shows itself in a notebook; `.render(outfile="x.svg")` writes x.svg, and x.gv unless `cleanup=True`;
    `.pipe("png")` returns the bytes of a picture, and `.source` is its text in graphviz's language. `rankdir` is where
    the arrows lead: "LR", "TB", "RL", "BT". `show` chooses the numbers, and `number`, a format string or a function,
    writes them. TypeError if `root` is no Value, ValueError if the drawing has more than `max_nodes` nodes.

    >>> x = Value(3.0, label="x")
    >>> picture = draw_dot(x * x)
    >>> picture.source.count("->")
    2
    """
    roots: Any = root if isinstance(root, list | tuple) else [root]
    for x in roots or [root]:
        if not isinstance(x, Value):
            raise TypeError(f"draw_dot: expected a Value or a list of Values, got {x!r} ({type(x).__name__})")
    if rankdir not in ("LR", "TB", "RL", "BT"):
        raise ValueError(f"draw_dot: rankdir must be LR, TB, RL or BT, got {rankdir!r}")
    shown = {show} if isinstance(show, str) else set(show)
    if not shown.issubset(SHOW):
        raise ValueError(f"draw_dot: show takes {', '.join(SHOW)}; got {show!r}")
    if not callable(number) and "{" not in str(number):
        raise TypeError(f"draw_dot: number must be a function or a format string like '{{:.4g}}', got {number!r}")
    nodes = tape(*roots)
    count = len(nodes) + sum(partial is None for node in nodes for _, partial in operands(node))
    if count > max_nodes:
        raise ValueError(
            f"draw_dot: {count} nodes are more than max_nodes={max_nodes}: pass max_nodes={count} to draw them all, "
            "or draw a part, from a Value inside the expression"
        )
    graph = _digraph()(format=format, graph_attr=GRAPH | {"rankdir": rankdir}, node_attr=NODE, edge_attr=EDGE)
    names = {node: f"n{i}" for i, node in enumerate(nodes)}
    sizes = [abs(bottom(node.grad)) for node in nodes]
    largest = max((size for size in sizes if size < float("inf")), default=0.0)

    def text(x: Any) -> str:
        try:
            return str(number(bottom(x)) if callable(number) else number.format(bottom(x)))
        except (LookupError, ValueError) as error:
            raise ValueError(f"draw_dot: number={number!r} cannot write {bottom(x)!r}: {error}") from None

    def name(x: Any) -> str:
        return x.label or "·" if isinstance(x, Value) else text(x)

    for node in nodes:
        operation = formula(node.rule, [name(x) for x, _ in operands(node)])
        keys = [key for key in SHOW[:3] if key in shown and (key != "tangent" or node.tangent is not ZERO)]
        graph.node(
            names[node],
            _table(node.label, operation, [(key, text(getattr(node, key))) for key in keys]),
            style="filled" if operation else "filled,rounded",
            fillcolor=_color(bottom(node.grad) if "grad" in shown else 0.0, largest),
            peripheries="2" if any(node is x for x in roots) else "1",
        )
        for i, (x, partial) in enumerate(operands(node)):
            if partial is None:
                constant = f"{names[node]}_{i}"
                label = f"{x.label} = {text(x)}" if isinstance(x, Value) and x.label else text(x)
                graph.node(constant, f"<{_escape(label)}>", **CONSTANT)
                graph.edge(constant, names[node], color="#bbbbbb", arrowhead="none")
            else:
                label = f"<&#160;∂ {_escape(text(partial))}&#160;>" if "partials" in shown else ""
                graph.edge(names[x], names[node], label, weight="8" if x.rule.name else "1")  # long chains go straight
    return graph


def formula(rule: Rule, names: list[str]) -> str:
    """The operation written out, cut if it is long; of an input, the empty string."""
    text = rule.text(names)
    return text if len(text) <= 40 else text[:39] + "…"


def _table(label: str, operation: str, rows: list[tuple[str, str]]) -> str:
    """The text of a box, in graphviz's likeness of HTML."""
    title = " = ".join([f"<B>{_escape(label)}</B>"] * bool(label) + [_escape(operation)] * bool(operation))
    lines = [f'<TD COLSPAN="2">{title or "·"}</TD>'] if title or not rows else []
    for key, number in rows:
        left = f'<TD ALIGN="LEFT"><FONT COLOR="#444444" POINT-SIZE="11">{key}</FONT></TD>'
        lines.append(f'{left}<TD ALIGN="RIGHT">&#160;&#160;{_escape(number)}</TD>')
    body = "".join(f"<TR>{line}</TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{body}</TABLE>>'


def _escape(text: str) -> str:
    """Text that draws as itself: no markup, no graphviz escapes like \\N, no characters that a picture cannot hold."""
    import html
    import re

    lines = text.expandtabs(4).splitlines() or [""]
    lines = [re.sub("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda m: ascii(m[0])[1:-1], line) for line in lines]
    return "<BR/>".join(html.escape(line.replace("\\", "\\\\")) or "&#160;" for line in lines)


def _color(grad: float, largest: float) -> str:
    """From white at 0 to blue or orange at the largest gradient of the drawing; grey for nan."""
    if grad != grad:
        return "#dddddd"
    full = (146, 196, 240) if grad > 0.0 else (248, 176, 96)  # equally dark in grey
    share = (min(abs(grad) / largest, 1.0) if largest else 1.0) ** 0.5 if grad else 0.0
    return "#" + "".join(f"{round(255 - (255 - c) * share):02x}" for c in full)


# The engine and the files ---------------------------------------------------------------------------------------------


_digraphs: list[Any] = []  # the class below, once it has been asked for


def _digraph() -> Any:
    """The class `graphviz.Digraph`, but it needs no program `dot`, and it writes a file whole or not at all."""
    if _digraphs:
        return _digraphs[0]
    import graphviz  # type: ignore[import-untyped]

    class Digraph(graphviz.Digraph):  # type: ignore[misc]
        def pipe(self, format: Any = None, *, engine: Any = None, encoding: Any = None, **options: Any) -> Any:
            try:
                return super().pipe(format, engine=engine, encoding=encoding, **options)
            except graphviz.ExecutableNotFound as error:
                picture = _pygraphviz(self.source, format or self.format, engine or self.engine, error)
            return picture.decode(encoding) if encoding else picture

        def render(
            self, filename: Any = None, directory: Any = "", view: Any = False, cleanup: Any = False, **options: Any
        ) -> str:
            outfile, quiet = options.pop("outfile", None), options.pop("quiet_view", False)
            stem, ending = os.path.splitext(outfile or "")
            format = options.pop("format", None) or ending[1:].lower() or self.format
            source = os.path.join(directory or self.directory, filename or (f"{stem}.gv" if stem else self.filename))
            path = os.fspath(outfile or f"{source}.{format}")
            picture = self.pipe(format, **options)
            for file, content in [(source, self.source.encode())] * (not cleanup) + [(path, picture)]:
                os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
                write(file, content)
            if view:
                graphviz.view(path, quiet=quiet)
            return path

    _digraphs.append(Digraph)
    return Digraph


def _pygraphviz(source: str, format: str, engine: str, error: Exception) -> bytes:
    """The picture by the engine in pygraphviz, in a process of its own, as `dot` is: there it may warn, or crash."""
    import subprocess
    from importlib.util import find_spec

    if not find_spec("pygraphviz"):
        error.args = (
            "to draw, install the program graphviz (apt install graphviz, brew install graphviz, ...), "
            "or pip install pygraphviz, which has it inside; .source works without them",
        )
        raise error from None
    program = "import sys, pygraphviz; graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode());"
    program += "sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog=sys.argv[2]))"
    command = [sys.executable, "-P", "-c", program, format, engine]
    done = subprocess.run(command, input=source.encode(), capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines() or [f"exit status {done.returncode}"]
        reason = next((line for line in lines if line.startswith("Error")), lines[-1])
        raise RuntimeError(f"pygraphviz cannot draw this as {format}: {reason}") from None
    return done.stdout


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, which then takes its name; OSError if that fails."""
    target = os.path.realpath(path)
    is_file = os.path.isfile(target) or not os.path.exists(target)  # a device or a directory is not to be replaced
    neighbour = os.path.join(os.path.dirname(target), f".{os.getpid()}-{id(content):x}.tmp") if is_file else target
    try:
        with open(neighbour, "wb") as file:
            file.write(content)
        if is_file:
            os.replace(neighbour, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        if is_file and os.path.exists(neighbour):
            os.remove(neighbour)
