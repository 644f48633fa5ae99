"""What a notebook shows of a Value, of a module, and of its gradients: a table, and a picture if it is a small one."""

from __future__ import annotations

from ..machinery.digits import NOTHING
from ..tape import parents
from ..value import Value
from .diagram import LABEL, UNSEEN, draw_dot
from .formulas import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

SMALL = 24  # Values: a larger graph takes more room than a number deserves; draw_dot draws it
TIMEOUT = 5.0  # seconds


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in HTML, with one line for each of `rows`.

    >>> table(["a"], [["<"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;</td></tr></tbody></table>'
    """
    import re
    from html import escape

    def line(tag: str, cells: Iterable[object]) -> str:
        texts = [cut(re.sub(UNSEEN, "\ufffd", str(cell)), LABEL) for cell in cells]
        return f"<tr>{''.join([f'<{tag}>{escape(text)}</{tag}>' for text in texts])}</tr>"

    body = "".join([line("td", row) for row in rows])
    return f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"


def view(value: Value) -> str:
    """The numbers of a Value as a table, in HTML, and its graph if it is small and an engine is there to draw it.

    >>> x = Value(3.0, label="x")
    >>> view(x)
    '<table><thead><tr><th>label</th><th>data</th><th>grad</th></tr></thead><tbody><tr><td>x</td><td>3.0</td>...'
    """
    cells = [("label", value.label), ("data", _text(value.data)), ("tangent", ""), ("grad", _text(value.grad))]
    if value.tangent is not NOTHING:
        cells[2] = "tangent", _text(value.tangent)
    cells = [cell for cell in cells if cell[1]]
    return table([name for name, _ in cells], [[text for _, text in cells]]) + _picture(value)


def _text(x: Any) -> str:
    """A number; of a Value of an outer level, the number inside."""
    while isinstance(x, Value):
        x = x.data
    return repr(x)


def _picture(value: Value) -> str:
    """The graph that led to the Value; the empty string if it is no result, if it is large, or cannot be drawn."""
    import warnings
    from base64 import b64encode

    seen, stack = {value}, [value]
    while stack and len(seen) <= SMALL:
        new = [x for x, _ in parents(stack.pop()) if x not in seen]
        seen.update(new)
        stack += new
    if len(seen) > SMALL or value.left is None:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = draw_dot(value, timeout=TIMEOUT).pipe("svg")
    except Exception:  # who asked for a number shall see it, whatever there is to say about drawing: draw_dot says it
        return ""
    source = f"data:image/svg+xml;base64,{b64encode(picture).decode()}"
    return f'<img alt="the graph that led to it" style="background: white; max-width: 100%" src="{source}">'


# A notebook looks for this method. It is hung here, for value.py is a chapter to be read, and knows of no drawing.
Value._repr_html_ = view  # type: ignore[attr-defined]
