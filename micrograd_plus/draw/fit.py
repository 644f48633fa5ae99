"""Texts of a picture that keep to the room they were given.

An engine lays out text by the widths of Helvetica. Where the picture is looked at there may be another font, a wider
one: a text would leave its box, or run into the next. So each text of an SVG says how long it is, by the same widths.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape

FAMILY = "Helvetica,Arial,Liberation Sans,Arimo,DejaVu Sans,sans-serif"

# Of the characters from " " to "~", in thousandths of the font's size; from Adobe's metrics of the font.
REGULAR = """
    278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278
    278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722
    667 944 667 667 611 278 139 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556
    556 333 500 278 556 500 722 500 500 500 334 260 334 584
"""
BOLD = """
    278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333
    333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722
    667 944 667 667 611 333 139 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611
    611 389 556 333 611 556 778 556 556 500 389 280 389 584
"""
WIDTHS = {False: [*map(int, REGULAR.split())], True: [*map(int, BOLD.split())]}
SYMBOLS = {"\N{NO-BREAK SPACE}": 278, "·": 278, "…": 1000, "∂": 494}  # which the library itself writes


def fitted(svg: bytes) -> bytes:
    """The picture, in which each text has its length, and a family of fonts that look alike.

    A script that changes a text has to remove its `textLength`.
    """
    picture = svg.decode().replace('font-family="Helvetica,sans-Serif"', f'font-family="{FAMILY}"')
    return re.sub(r"<text ([^>]*)>([^<]+)</text>", _measured, picture).encode()


def _measured(match: re.Match[str]) -> str:
    attributes, text = match.groups()
    size = float(re.search(r'font-size="([\d.]+)', attributes)[1])  # type: ignore[index]
    length = size * width(unescape(text), bold='font-weight="bold"' in attributes)
    told = f' textLength="{length:.2f}" lengthAdjust="spacingAndGlyphs"' if length and text.strip() else ""
    kept = re.sub(
        "^ +| +$", lambda spaces: "\N{NO-BREAK SPACE}" * len(spaces[0]), text
    )  # not every viewer keeps spaces
    return f"<text {attributes}{told}>{kept}</text>"


def width(text: str, *, bold: bool = False) -> float:
    """The width of a line of text in Helvetica of size 1; of other scripts, as much as an engine makes room for.

    >>> width("w * x"), width("w * x", bold=True)
    (2.167, 2.279)
    """
    return sum(_width(c, bold) for c in text) / 1000


def _width(c: str, bold: bool) -> int:
    if " " <= c <= "~":
        return WIDTHS[bold][ord(c) - ord(" ")]
    if c in SYMBOLS:
        return SYMBOLS[c]
    if unicodedata.category(c) in ("Mn", "Me", "Cf"):  # combined with the character before, or not seen
        return 0
    return min(1000 if unicodedata.east_asian_width(c) in "WF" else 556, 278 * len(c.encode()))
