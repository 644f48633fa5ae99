"""A page on which one steps through a graph, moves its numbers, and asks why.

The page is one file. It holds the drawing of `draw_dot`, in which every number stands in an element of its own; the
tape, as a table; the rules that occur in it, printed as JavaScript; and page.js, which runs the rules over the table,
forwards and backwards, and writes the numbers into the drawing.
"""

from __future__ import annotations

import os

from ..draw import draw_dot, numbered, write
from ..draw.diagram import roots_of
from ..functions import is_real
from ..tape import operands, tape
from ..value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

FOLDER = os.path.dirname(__file__)
DROPPED = ("{http://www.w3.org/XML/1998/namespace}space", "fill", "font-family", "font-size", "id", "style")


def explore(
    root: Value | Iterable[Any],
    *,
    title: str = "",
    rankdir: str = "LR",
    groups: str | Iterable[str] | bool = (),
    fold: str | Iterable[str] | bool = (),
    max_nodes: Any = 2000,
) -> Page:
    """The page of the expression that led to `root`, or to the Values in a list or an array.

    In a notebook it shows itself; `.save("page.html")` writes it, and `.show()` opens it in the browser. Without a
    `title` it is called by its formula; `rankdir`, `groups`, `fold` and `max_nodes` are those of `draw_dot`. TypeError
    if `root` is no Value, or belongs to a transform; ValueError if a number was changed after others had been computed
    from it, or where `draw_dot` raises one.

    >>> x = Value(3.0, label="x")
    >>> explore(x * x + x).names
    ['x', 'v1', 'v2']
    """
    try:
        roots = roots_of(root)
    except TypeError as error:
        raise TypeError(str(error).replace("draw_dot:", "explore:", 1)) from None
    for x in roots:
        if x.level or not is_real(x.data):
            raise TypeError(
                f"explore: {x!r} is a number inside a transform or a program; explore what is computed outside of it"
            )
    nodes = tape(*roots)
    for node in nodes:
        _check(node)
    slots = _Slots(nodes)
    look: dict[str, Any] = {"rankdir": rankdir, "groups": groups, "fold": fold, "max_nodes": max_nodes}
    try:
        picture = draw_dot(roots, number=slots, names=slots.named, **look).pipe("svg").decode()
    except ValueError as error:
        raise ValueError(str(error).replace("draw_dot:", "explore:", 1)) from None
    drawing, places = _drawing(picture, slots)
    return Page(slots.names, _page(title or _formula(roots, nodes, slots.names), drawing, nodes, roots, slots, places))


class Page:
    """A page as text, `html`, and the `names` of its numbers in the order of the tape.

    >>> Page(["x"], "<!doctype html>")
    <a page of 1 number, 0.0 kB: .save("page.html") writes it, .show() opens it>
    """

    def __init__(self, names: list[str], html: str) -> None:
        self.names, self.html = names, html

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page, whole or not at all, and return its path; OSError if that fails."""
        write(path, self.html.encode())
        return os.fspath(path)

    def show(self) -> None:
        """Open the page in the browser, from a file that goes when the program ends; OSError if there is no browser."""
        import atexit
        import tempfile
        import webbrowser
        from pathlib import Path

        folder = tempfile.TemporaryDirectory(prefix="micrograd-plus-", ignore_cleanup_errors=True)
        atexit.register(folder.cleanup)
        path = self.save(Path(folder.name, "page.html"))
        if not webbrowser.open(Path(path).as_uri()):
            raise OSError("explore: there is no browser here; write the page by .save('page.html') and open that")

    def _repr_html_(self) -> str:
        from html import escape

        frame = 'sandbox="allow-scripts" width="100%" height="780" style="border: 0" title="The graph, step by step"'
        return f'<iframe srcdoc="{escape(self.html)}" {frame}></iframe>'

    def __repr__(self) -> str:
        numbers = f"{len(self.names)} number{'s' * (len(self.names) != 1)}"
        size = f"{len(self.html.encode()) / 1000:.1f} kB"
        return f'<a page of {numbers}, {size}: .save("page.html") writes it, .show() opens it>'


def names_of(nodes: Iterable[Value]) -> list[str]:
    """The labels; v1, v2, ... where there is none, and x~2 for the second x.

    >>> names_of([Value(1.0, label="x"), Value(2.0), Value(3.0, label="v1"), Value(4.0, label="x")])
    ['x', 'v2', 'v1', 'x~2']
    """
    nodes = list(nodes)
    free = numbered(nodes)
    labels = [plain(node.label) or free[node] for node in nodes]
    names: dict[str, None] = {}
    for label in labels:
        name, count = label, 1
        while name in names or (count > 1 and name in labels):
            count += 1
            name = f"{label}~{count}"
        names[name] = None
    return list(names)


def plain(text: str) -> str:
    """Text in which what is not seen, or would turn the line around, is written out.

    >>> print(plain("a\u202eb"))
    a\\u202eb
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _check(node: Value) -> None:
    """ValueError if a Value is not what its rule makes of its operands today: then one of these was changed."""
    if not node.rule.name:
        return
    made: Any
    try:
        made = node.rule.partials(*[x.data if isinstance(x, Value) else x for x, _ in operands(node)])[0]
    except (ArithmeticError, ValueError) as error:
        made = error
    if made != node.data and (made == made or node.data == node.data):
        names = [getattr(x, "label", repr(x)) or "·" for x, _ in operands(node)]
        raise ValueError(
            f"explore: {node.label or node.rule.text(names)} is {node.data!r}, but its operands give {made!r} now: "
            "a number was changed after the result had been computed (by a step of training?); compute the result again"
        )


def _formula(roots: list[Value], nodes: list[Value], names: list[str]) -> str:
    """What the page is about in a line: the expression, if it is short, or the names of the results."""
    texts: dict[Value, str] = {}
    for node, name in zip(nodes, names, strict=True):
        parts = []
        for x, partial in operands(node):
            part = f"{x:.6g}" if partial is None else texts[x]
            parts.append(f"({part})" if " " in part and "(" not in node.rule.notation else part)
        text = node.rule.text(parts) if node.rule.name else name
        texts[node] = _tidy(text) if len(text) <= 60 else name
    named = dict(zip(nodes, names, strict=True))
    results = [named[x] for x in roots]
    if len(roots) == 1 and texts[roots[0]] != results[0]:
        return f"{roots[0].label} = {texts[roots[0]]}" if roots[0].label else texts[roots[0]]
    shown = ", ".join(results[:8]) + ", ..." * (len(results) > 8)
    return f"{shown}, from {len(nodes)} numbers"


def _tidy(text: str) -> str:
    """The expression without a parenthesis too many, if it is one in Python: a label may be anything."""
    import ast

    try:
        return ast.unparse(ast.parse(text, mode="eval"))
    except (SyntaxError, ValueError):
        return text


# The drawing ----------------------------------------------------------------------------------------------------------


class _Slots:
    """What stands in the drawing for each number while it is laid out: a number as wide as any, of its own digits."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes, self.names = nodes, names_of(nodes)
        self.named = dict(zip(nodes, self.names, strict=True))
        self.index = {x: i for i, x in enumerate(nodes)}
        self.places: dict[str, tuple[Any, Any]] = {}

    def __call__(self, constant: Any) -> str:
        return f"{constant:.4g}"

    def slot(self, owner: Any, place: Any) -> str:
        digits = f"{len(self.places):07d}"
        token = f"-{digits[0]}.{digits[1:4]}e-{digits[4:]}"
        self.places[token] = owner, place
        return token


def _drawing(picture: str, slots: _Slots) -> tuple[str, dict[str, Any]]:
    """The SVG with an element for each number; and which box each Value is in, what the arrows into modules join."""
    import re
    from xml.etree import ElementTree

    from ..draw.fit import width

    tree = ElementTree.fromstring(re.sub("<!DOCTYPE[^>]*>", "", picture))
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    homes: dict[int, int] = {}
    through: list[tuple[int, int]] = []
    for group in list(tree.iter("g")):
        ends = [int(end) for end in re.findall(r"n(\d+)", group.findtext("title", ""))]
        if group.get("class") == "edge":
            group.set("data-from", str(ends[0]))
            group.set("data-to", str(ends[1]))
        for text in list(group.iter("text")) if group.get("class") in ("node", "edge") else ():
            token = (text.text or "").strip("\xa0 ∂")
            if token not in slots.places or text.get("font-weight") == "bold":
                continue
            owner, place = slots.places.pop(token)
            room = float(text.get("font-size", 0.0)) * width(text.text or "")
            text.text = ""
            for key in ("textLength", "lengthAdjust"):
                text.attrib.pop(key, None)
            if group.get("class") == "node":
                i = slots.index[owner]
                homes[i] = ends[0]
                group.set("data-box", str(ends[0]))
                ElementTree.SubElement(text, "tspan", {"data-node": slots.names[i], "data-field": place})
                continue
            text.set("text-anchor", "middle")
            text.set("x", f"{float(text.get('x', 0.0)) + room / 2:.2f}")
            ElementTree.SubElement(text, "tspan").text = "∂ "
            user = slots.index[owner.values[0]]
            if owner.module is None:
                ElementTree.SubElement(text, "tspan", {"data-edge": f"{slots.names[user]}:{place}"})
            else:
                ElementTree.SubElement(text, "tspan", {"data-through": str(len(through))})
                through.append((user, slots.index[owner.inputs[place][0]]))
    for element in tree.iter():
        for title in element.findall("title"):
            element.remove(title)
        small = element.get("font-size") == "11.00"
        for key, value in list(element.attrib.items()):  # the rest is in page.css
            if key in DROPPED or (key, value) == ("text-anchor", "start") or (key == "stroke" and value != "none"):
                del element.attrib[key]
        if small:
            element.attrib = {"class": "small"} | {
                key: element.attrib[key] for key in ("x", "y", "text-anchor") if key in element.attrib
            }
        if element.tag == "text" and element.text:
            element.text = element.text.replace(" ", "\xa0")  # which HTML keeps
    tree.attrib = {"viewBox": tree.get("viewBox", ""), "role": "group", "aria-label": "The graph"}
    for node in reversed(slots.nodes):  # what is folded away is in the box of what is made of it
        for x, partial in operands(node):
            if partial is not None:
                homes.setdefault(slots.index[x], homes[slots.index[node]])
    return ElementTree.tostring(tree, "unicode"), {"homes": [homes[i] for i in range(len(homes))], "through": through}


# The table and the page -----------------------------------------------------------------------------------------------


def _page(title: str, drawing: str, nodes: list[Value], roots: list[Value], slots: _Slots, places: Any) -> str:
    import html
    import json
    from base64 import b64encode
    from hashlib import sha256

    table, rules = _table(nodes, slots)
    table |= {"outputs": [slots.index[x] for x in dict.fromkeys(roots)]} | places
    parts = {
        "title": html.escape(plain(title)),
        "drawing": drawing,
        "table": json.dumps(table, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "style": _file("page.css"),
        "script": "\n".join(['"use strict";', _file("kernels.js"), rules, _file("page.js")]),
    }
    for name in ("style", "script"):
        parts[f"{name}-hash"] = b64encode(sha256(parts[name].encode()).digest()).decode()
    import re

    return re.sub(r"\{\{([\w-]+)\}\}", lambda match: parts[match[1]], _file("page.html"))


def _table(nodes: list[Value], slots: _Slots) -> tuple[dict[str, Any], str]:
    """The tape as page.js reads it, and the rules that occur in it, as JavaScript."""
    from ..jit import javascript

    parameters = {x for node in nodes for module, _ in node.rule.calls for x in module.parameters()}
    used: dict[Any, tuple[int, Any, int]] = {}
    forms: dict[Any, tuple[int, dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for node, name in zip(nodes, slots.names, strict=True):
        pairs = operands(node)
        row: dict[str, Any] = {"name": name, "data": _number(node.data)}
        if not node.rule.name:
            row |= {"tangent": _number(node.tangent)} if node.tangent else {}
            row |= {"learns": True} if node in parameters else {}
        else:
            rule, *_ = used.setdefault((node.rule.partials, len(pairs)), (len(used), node.rule, len(pairs)))
            constants = [float(x) if partial is None else None for x, partial in pairs]
            text = node.rule.text([f"{{{i}}}" for i in range(len(pairs))])
            form = {"rule": rule, "text": text, "partials": javascript.formulas(node.rule, constants)}
            row["form"], _ = forms.setdefault((rule, *map(repr, constants)), (len(forms), form))
            row["of"] = [str(_number(x)) if partial is None else slots.index[x] for x, partial in pairs]
            row["slopes"] = [_number(partial) if partial is not None else 0.0 for _, partial in pairs]
        rows.append(row)
    text, missing = javascript.rules([(rule, count) for _, rule, count in used.values()], _kernels())
    table = [form for _, form in forms.values()]
    for row in rows:
        if "form" in row and not missing[table[row["form"]]["rule"]]:
            del row["data"], row["slopes"]  # the page computes them
    return {"nodes": rows, "forms": table, "rules": [_described(rule) for _, rule, _ in used.values()]}, text


def _number(x: float) -> float | str:
    """A number as JSON can say it, if need be in the words of JavaScript."""
    x = float(x)
    return x if abs(x) < float("inf") else str(x).replace("inf", "Infinity").replace("nan", "NaN")


def _described(rule: Any) -> dict[str, str]:
    """The rule as it stands on the page of calculus."""
    import inspect
    from textwrap import dedent

    try:
        source = dedent(inspect.getsource(rule.partials))
    except (OSError, TypeError):
        source = ""
    lines = [line for line in source.splitlines() if not line.startswith("@")]
    return {"name": rule.name, "source": "\n".join(lines)}


def _kernels() -> set[str]:
    """The names of the functions that kernels.js defines."""
    import re

    found = re.findall(r"^(?:function (\w+)|const (\w+) =|const \{(.*)\})", _file("kernels.js"), re.MULTILINE)
    return {name.strip() for names in found for part in names for name in part.split(",") if name.strip()}


def _file(name: str) -> str:
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()
