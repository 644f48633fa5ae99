"""Every link of the pages leads to something: a file that is there, and in it a heading of that name."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
PLACES = [ROOT, *[ROOT / name for name in (".github", "docs", "examples", "tests")]]
FILES = sorted({path for place in PLACES for path in (place.glob if place == ROOT else place.rglob)("*.md")})
FILES += sorted((ROOT / "examples").glob("*.ipynb"))
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINKS = re.compile(r"""\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*(\S+)|\b(?:src|href)=["']([^"']+)""", re.MULTILINE)


def prose(path):
    """The text of a page without its programs; of a notebook, that of the cells which are no programs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return FENCE.sub("", text)


def links(text):
    return ["".join(found) for found in LINKS.findall(CODE.sub("", text))]


def fragments(text):
    """The names that GitHub gives to the headings: in small letters, without punctuation, with - for each space.

    >>> sorted(fragments("# What's `a_b`, in *C*?\\n## One\\n## One\\n"))
    ['one', 'one-1', 'whats-a_b-in-c']
    """
    names: dict[str, int] = {}
    for heading in re.findall(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", text, re.MULTILINE):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        shown = re.sub(r"(\*+)(\S(?:.*?\S)?)\1", r"\2", shown)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        names[name] = names.get(name, -1) + 1
        if names[name]:
            names[f"{name}-{names[name]}"] = 0
    return names.keys() | set(re.findall(r"<a (?:id|name)=[\"']([^\"']+)", text))


def broken(path, link):
    """What is wrong with a link on that page; the empty string if it leads to something, or out of the repository."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return ""
    name, _, fragment = unquote(link).partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return f"there is no {name}"
    if not target.is_relative_to(ROOT):
        return f"{name} is outside of the repository"
    if fragment and (target.suffix != ".md" or fragment not in fragments(prose(target))):
        return f"{target.name} has no heading #{fragment}"
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_something(path):
    found = {link: broken(path, link) for link in links(prose(path))}
    assert not {link: reason for link, reason in found.items() if reason}


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    text = "[a](docs/no_such.md) [b](docs/testing.md#no-such) ![c](<d.svg>) `[e](f)` <img src='g.svg'>\n[h]: i.md\n"
    assert links(text) == ["docs/no_such.md", "docs/testing.md#no-such", "d.svg", "g.svg", "i.md"]
    assert all(broken(ROOT / "README.md", link) for link in links(text))
    assert not broken(ROOT / "README.md", "docs/testing.md#the-bump")
