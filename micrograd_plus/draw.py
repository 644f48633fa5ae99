"""Diagrams of expressions.

A box is a Value: an input has round corners, a result a double outline, and what has no box is a constant. An arrow
leads from an operand to the operation, the first operand uppermost, and carries the partial derivative: along the
arrows tangents are multiplied by it, against them gradients. The colour is the gradient: blue above 0, orange below,
and the darker the larger.

What was made in a module of a network can be framed, or folded into one box. A module leaves with its results what it
was given, and that is all: what it made of that is found when it is drawn, on the way back from these to those.
"""

from __future__ import annotations

import os
import sys
from math import inf, log10

from .machinery.digits import NOTHING, times
from .machinery.operators import sound
from .tape import operands, tape
from .value import Value, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .rules import Rule

SHOW = ("data", "grad", "tangent", "partials")
FONT = {"fontname": "Helvetica,Arial,sans-serif"}
GRAPH = FONT | {"ranksep": "0.4", "nodesep": "0.2", "ordering": "in"}
NODE = FONT | {"shape": "box", "color": "#555555", "fontsize": "13", "margin": "0.1,0.06"}
EDGE = FONT | {"color": "#777777", "fontcolor": "#333333", "fontsize": "10", "arrowsize": "0.6"}
FRAME = FONT | {"color": "#999999", "fontcolor": "#444444", "fontsize": "12", "style": "rounded", "labeljust": "l"}
CONSTANT = {"shape": "plaintext", "fontsize": "11", "margin": "0.04", "width": "0", "height": "0"}


def draw_dot(
    root: Value | Sequence[Value],
    format: str = "svg",
    rankdir: str = "LR",
    *,
    groups: str | Iterable[str] | bool = (),
    fold: str | Iterable[str] | bool = (),
    scale: str = "linear",
    show: Iterable[str] = SHOW,
    number: str | Callable[[Any], object] = "{:.4g}",
    max_nodes: int = 1000,
) -> Any:
    """The expression that led to `root`, or to the Values in the list `root`, as a `graphviz.Digraph`.

    It shows itself in a notebook; `.render(outfile="x.svg")` writes x.svg, and x.gv unless `cleanup=True`;
    `.pipe("png")` returns the bytes of a picture, and `.source` is its text in graphviz's language. `rankdir` is where
    the arrows lead: "LR", "TB", "RL", "BT". `show` chooses the numbers, and `number`, a format string or a function,
    writes them. TypeError if `root` is no Value, ValueError if the drawing has more than `max_nodes` nodes.

    `groups` are modules to be framed with all that was made in them, and `fold` such as shall be one box for each call:
    kinds, as "Neuron", or names, as "layers.0.neurons.3"; one or several, or True for all; ValueError if there is none
    of that name. An arrow into a folded module carries the derivative of its result, if that is one. `scale="log"` is
    for gradients of many orders of magnitude: the smallest, or 1e-16 of the largest, is almost white.

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
    if scale not in ("linear", "log"):
        raise ValueError(f"draw_dot: scale must be linear or log, got {scale!r}")
    shown = {show} if isinstance(show, str) else set(show)
    if not shown.issubset(SHOW):
        raise ValueError(f"draw_dot: show takes {', '.join(SHOW)}; got {show!r}")
    if not callable(number) and "{" not in str(number):
        raise TypeError(f"draw_dot: number must be a function or a format string like '{{:.4g}}', got {number!r}")
    for x in tape(*roots):
        if x.left is None:
            sound(x)
    boxes = _boxes(roots, groups, fold)
    count = len(boxes) + sum(partial is None for box in boxes for _, partial in box.inputs)
    if count > max_nodes:
        raise ValueError(
            f"draw_dot: {count} nodes are more than max_nodes={max_nodes}: pass max_nodes={count} to draw them all, "
            "or draw a part, from a Value inside the expression, or one sample, or a network folded, as by fold='Layer'"
        )
    graph = _digraph()(format=format, graph_attr=GRAPH | {"rankdir": rankdir}, node_attr=NODE, edge_attr=EDGE)
    frames = _frames(graph, boxes)
    arrows = graph if len(frames) == 1 else type(graph)()  # after the frames: graphviz places what it reads first first
    home = {x: box for box in boxes for x in box.values}
    names: dict[Value, str] = {}
    for i, box in enumerate(boxes):
        names |= {x: f"n{i}:p{j}" if len(box.values) > 1 else f"n{i}" for j, x in enumerate(box.values)}
    sizes = [size for x in home if 0.0 < (size := abs(bottom(x.grad))) < inf] or [0.0]
    smallest, largest = None if scale == "linear" else min(sizes), max(sizes)

    def text(x: Any) -> str:
        try:
            return str(number(bottom(x)) if callable(number) else number.format(bottom(x)))
        except (LookupError, ValueError) as error:
            raise ValueError(f"draw_dot: number={number!r} cannot write {bottom(x)!r}: {error}") from None

    def rows(x: Value) -> list[tuple[str, str]]:
        keys = [key for key in SHOW[:3] if key in shown and (key != "tangent" or x.tangent is not NOTHING)]
        return [(key, text(getattr(x, key))) for key in keys]

    for i, box in enumerate(boxes):
        frame, node, several = frames[box.around], box.values[0], len(box.values) > 1
        fills = [_color(bottom(x.grad) if "grad" in shown else 0.0, largest, smallest) for x in box.values]
        if box.module is None:
            parts = [_short(x.label, box.around) or "·" if isinstance(x, Value) else text(x) for x, _ in box.inputs]
            table = _table([_title(_short(node.label, box.around), formula(node.rule, parts))], rows(node))
        elif several:
            table = _grid(box, [rows(x) for x in box.values], fills, rankdir)
        else:
            table = _table([*_titles(box), _title(_short(node.label, box.around))], rows(node))
        frame.node(
            f"n{i}",
            table,
            style="filled" if node.rule.name else "filled,rounded",
            fillcolor="#ffffff" if several else fills[0],
            peripheries="2" if any(x is root for x in box.values for root in roots) else "1",
        )
        for j, (x, partial) in enumerate(box.inputs):
            if partial is None:
                label = f"{_short(x.label, box.around)} = {text(x)}" if isinstance(x, Value) and x.label else text(x)
                frame.node(f"n{i}_{j}", f"<{_escape(label)}>", **CONSTANT)
                arrows.edge(f"n{i}_{j}", f"n{i}", color="#bbbbbb", arrowhead="none")
            else:
                label = f"<&#160;∂ {_escape(text(partial))}&#160;>" if "partials" in shown and not several else ""
                weight = {"weight": "8" if x.rule.name else "1"}  # long chains go straight
                if x.rule.name and box.module is None and home[x].around != box.around:
                    weight["minlen"] = "2"  # between two frames there is room for the parameters of the second
                arrows.edge(names[x], f"n{i}", label, **weight)
    for around in sorted(frames, key=len, reverse=True)[:-1]:
        frames[around[:-1]].subgraph(frames[around])
    if arrows is not graph:
        graph.body += arrows.body
    return graph


def formula(rule: Rule, names: list[str]) -> str:
    """The operation written out, cut if it is long; of an input, the empty string."""
    text = rule.text(names)
    return text if len(text) <= 40 else text[:39] + "…"


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
        lines.append(f'<TD ALIGN="LEFT">{_small(key)}</TD><TD ALIGN="RIGHT">&#160;&#160;{_escape(number)}</TD>')
    return _html(lines)


def _grid(box: _Box, rows: list[list[tuple[str, str]]], fills: list[str], rankdir: str) -> str:
    """The text of a folded module with several results: for each a row, or a column if arrows lead up or down."""
    keys = dict.fromkeys([key for row in rows for key, _ in row])
    grid = [["<TD></TD>", *[f"<TD>{_small(key)}</TD>" for key in keys]]]
    for i, (x, row, fill) in enumerate(zip(box.values, rows, fills, strict=True)):
        numbers = [f"&#160;{_escape(dict(row).get(key, ''))}&#160;" for key in keys]
        texts = [_title(_short(x.label, box.around)) or "·", *numbers]
        cells = [f'<TD BGCOLOR="{fill}">{text}</TD>' for text in texts]
        end = -1 if rankdir in ("LR", "TB") else 0
        cells[end] = cells[end].replace("<TD", f'<TD PORT="p{i}"', 1)
        grid.append(cells)
    lines = ["".join(cells) for cells in (grid if rankdir in ("LR", "RL") else zip(*grid, strict=True))]
    return _html([f'<TD COLSPAN="{lines[0].count("<TD")}">{title}</TD>' for title in _titles(box)] + lines)


def _html(lines: list[str]) -> str:
    body = "".join(f"<TR>{line}</TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{body}</TABLE>>'


def _titles(box: _Box) -> list[str]:
    """What stands on a folded module: its name, its kind, and how many parameters it has."""
    name, kind, n = _short(box.module.name, box.around), box.module.kind, len(box.module.parameters)
    size = f"{n} parameter{'s' * (n > 1)}" if n else ""
    return [_title(name or kind), _small(_escape(", ".join(filter(None, [kind * bool(name), size]))))]


def _escape(text: str) -> str:
    """Text that draws as itself: no markup, no graphviz escapes like \\N, no characters that a picture cannot hold."""
    import html
    import re

    lines = text.expandtabs(4).splitlines() or [""]
    lines = [re.sub("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda m: ascii(m[0])[1:-1], line) for line in lines]
    return "<BR/>".join(html.escape(line.replace("\\", "\\\\")) or "&#160;" for line in lines)


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


# The modules ----------------------------------------------------------------------------------------------------------


class _Module:
    """A module that was called in a graph: its kind, its parameters, its name in their labels, and all that it made."""

    def __init__(self, module: Any, rank: int) -> None:
        self.kind, self.name, self.rank = type(module).__name__, "", rank  # inner modules come first
        self.made: set[Value] = set()
        self.parameters = {x: name for name, x in module.named_parameters() if isinstance(x, Value)}
        for x, name in self.parameters.items():  # the last one decides, as the first is shared more often
            if x.label.endswith(f".{name}"):
                self.name = x.label.removesuffix(f".{name}")


class _Call:
    """A call of a module: the Values it was given, its results, and what it made on the way from these to those."""

    def __init__(self, module: _Module, inputs: Any) -> None:
        self.module, self.inputs = module, set(values_in(inputs))
        self.results: list[Value] = []
        self.made: set[Value] = set()

    def find(self) -> None:
        stack = self.results[:]
        while stack:
            node = stack.pop()
            if node not in self.inputs and node not in self.made:
                self.made.add(node)
                if node not in self.module.parameters:  # which may have been computed, but not in here
                    stack += [x for x, partial in operands(node) if partial is not None]
        self.module.made |= self.made


class _Box:
    """A box of a drawing: a Value, or what is used outside of a folded call.

    `inputs` are what it is made of, with the derivatives, None for constants; `around` the modules in whose frames it
    stands, the outermost first; `module` the one that is folded.
    """

    def __init__(self, value: Value, inputs: list[tuple[Any, Any]], around: tuple[_Module, ...], module: Any) -> None:
        self.values, self.inputs, self.around, self.module = [value], inputs, around, module


def _short(label: str, around: tuple[_Module, ...]) -> str:
    """The label without the name of the innermost of these modules that it begins with."""
    for module in reversed(around):
        if module.name and label.startswith(f"{module.name}."):
            return label[len(module.name) + 1 :]
    return label


def _frames(graph: Any, boxes: list[_Box]) -> dict[tuple[_Module, ...], Any]:
    """By modules, the outermost first, the part of the drawing that is framed by them."""
    frames: dict[tuple[_Module, ...], Any] = {(): graph}
    for box in boxes:
        for n, module in enumerate(box.around):
            if box.around[: n + 1] not in frames:
                titles = [_title(_short(module.name, box.around[:n])), _escape(module.kind)]
                title = {"label": f"<{' '.join(filter(None, titles))}>"}
                frames[box.around[: n + 1]] = type(graph)(f"cluster_{len(frames)}", graph_attr=FRAME | title)
    return frames


def _boxes(roots: Sequence[Value], groups: Any, fold: Any) -> list[_Box]:
    """What is drawn, in the order of the tape."""
    nodes = tape(*roots)
    if not groups and not fold:
        return [_Box(node, operands(node), (), None) for node in nodes]
    calls = _calls(nodes)
    modules = list(dict.fromkeys([call.module for call in calls]))
    framed, folded = _chosen(modules, groups, "groups"), _chosen(modules, fold, "fold")
    framed = [module for module in framed if module not in folded]
    home, seen = _homes(nodes, set(roots), [call for call in calls if call.module in folded])
    inputs = _inputs(nodes, home, seen)
    boxes: dict[Any, _Box] = {}
    nests: dict[Any, tuple[_Module, ...]] = {}
    for node in [node for node in nodes if node in seen]:
        if node not in home:
            boxes[node] = _Box(node, operands(node), _nest(node, framed, nests), None)
            continue
        # What depends on the same results of others is one box: so it cannot be one end of a cycle.
        key = home[node], frozenset([x for x, _ in inputs[node] if x.left is not None])
        if key in boxes:
            boxes[key].values.append(node)
            boxes[key].inputs = list((dict(boxes[key].inputs) | dict(inputs[node])).items())
        else:
            module = home[node].module
            nest = (*_nest(node, [*framed, module], nests), module)
            boxes[key] = _Box(node, inputs[node], nest[: nest.index(module)], module)
    return list(boxes.values())


def _homes(nodes: list[Value], roots: set[Value], folded: list[_Call]) -> tuple[dict[Value, _Call], set[Value]]:
    """The outermost of the folded calls that each Value was made in, if one is, and the Values that are seen.

    Of a call one sees what is used outside. A parameter is inside as long as no other module uses it.
    """
    home: dict[Value, _Call] = {}
    for call in sorted(folded, key=lambda call: len(call.made)):
        home |= dict.fromkeys(call.made, call)
    users: dict[Value, list[_Call | None]] = {node: [] for node in nodes}
    for user in nodes:
        for x, partial in operands(user):
            if partial is not None:
                users[x].append(home.get(user))
    seen = {*roots, *[node for node in nodes if any(call is not home.get(node) for call in users[node])]}
    for node, call in list(home.items()):
        if node.left is None and node not in roots and all(user and user.module is call.module for user in users[node]):
            seen.discard(node)
        elif node.left is None or node in call.module.parameters:  # a parameter may have been computed
            del home[node]
    return home, seen.union([node for node in nodes if node not in home])


def _inputs(nodes: list[Value], home: dict[Value, _Call], seen: set[Value]) -> dict[Value, list[tuple[Any, Any]]]:
    """What each seen result of a folded call is made of, with the derivatives, where the rest is passed over.

    It takes one backward sweep for all, from each result as far as to what is seen.
    """
    slopes: dict[Value, dict[Value, float]] = {node: {} for node in nodes}
    for node in reversed(nodes):
        for result, slope in ({node: 1.0} if node in seen else slopes[node]).items():
            for x, partial in operands(node) if node in home else ():
                if partial is not None:
                    slopes[x][result] = slopes[x].get(result, 0.0) + times(slope, bottom(partial))
    inputs: dict[Value, list[tuple[Any, Any]]] = {node: [] for node in seen}
    for x in [x for x in nodes if x in seen]:
        for result, slope in slopes[x].items():
            inputs[result].append((x, slope))
    return inputs


def values_in(tree: Any) -> Iterator[Value]:
    """The Values in lists, tuples, dicts and arrays.

    >>> [x.data for x in values_in({"a": [Value(1.0), 2.0], "b": Value(3.0)})]
    [1.0, 3.0]
    """
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, list | tuple | dict) or getattr(getattr(tree, "dtype", None), "kind", "") == "O":
        for x in tree.values() if isinstance(tree, dict) else tree.ravel() if hasattr(tree, "ravel") else tree:
            yield from values_in(x)


def _calls(nodes: list[Value]) -> list[_Call]:
    """The calls of modules that had results in this graph, an inner one before the one that it was made in."""
    modules: dict[int, _Module] = {}
    calls: dict[int, _Call] = {}
    for node in nodes:
        for call in node.rule.calls:
            module, inputs = call
            if id(module) not in modules:
                modules[id(module)] = _Module(module, len(modules))
            if id(call) not in calls:
                calls[id(call)] = _Call(modules[id(module)], inputs)
            calls[id(call)].results.append(node)
    for found in calls.values():
        found.find()
    return list(calls.values())


def _nest(node: Value, modules: list[_Module], nests: dict[Any, tuple[_Module, ...]]) -> tuple[_Module, ...]:
    """The modules that made this Value, the outermost first, without such as share it and are not one in the other."""
    made = tuple([module for module in modules if node in module.made])
    if made not in nests:  # to compare what modules made takes long, and few combinations of modules occur
        nest = sorted(made, key=lambda m: (len(m.made), m.rank), reverse=True)
        nests[made] = tuple([m for m in nest if all(m.made <= x.made or m.made >= x.made for x in nest)])
    return nests[made]


def _chosen(modules: list[_Module], wanted: Any, option: str) -> list[_Module]:
    """Those of the modules that are of these kinds or names."""
    kinds, paths = {m.kind for m in modules}, {m.name for m in modules if m.name}
    names = sorted(kinds) + sorted(paths, key=lambda path: [part.zfill(9) for part in path.split(".")])
    if isinstance(wanted, str) or not hasattr(wanted, "__iter__"):
        wanted = names if wanted is True else [wanted] * bool(wanted)
    for name in (wanted := list(wanted)):
        if name not in names:
            there = f"the modules of this graph are {', '.join(names[:12])}{', ...' * (len(names) > 12)}"
            there = there if names else "nothing in this graph was made by a module"
            raise ValueError(f"draw_dot: {option}={name!r}, but {there}")
    return [module for module in modules if module.kind in wanted or module.name in wanted]


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
            if filename and not outfile and os.fspath(filename).endswith(f".{self.format}"):
                filename, outfile = None, os.path.join(directory, filename)  # otherwise it would be that of the source
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
            if os.path.exists(target):
                os.chmod(neighbour, os.stat(target).st_mode)
            os.replace(neighbour, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        if is_file and os.path.exists(neighbour):
            os.remove(neighbour)
