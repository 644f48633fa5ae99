"""What the structure of a tree (trees.py) is to a program: a key, names for its numbers, a text."""

from __future__ import annotations

from .trees import ARRAY, NUMBER, Static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


def parts(structure: Any) -> list[tuple[Any, Any]]:
    """What is in a structure, each with its key or its place."""
    _, rest, found = structure
    found = [NUMBER] * found if type(found) is int else found
    return list(zip(rest if isinstance(rest, list) else range(len(found)), found, strict=True))


def key(structure: Any) -> Any:
    """What is the same for two structures if the same program is for both; TypeError if a part has no hash."""
    if structure is NUMBER:
        return 0
    if type(structure) is Static:
        return constant(structure.it)
    kind, rest, found = structure
    if isinstance(rest, list):  # of a dict
        rest = tuple(map(constant, rest))
    elif hasattr(rest, "__dataclass_fields__"):
        rest = None
    return kind, rest, found if type(found) is int else tuple(map(key, found))


def constant(x: Any) -> tuple[type, Any]:
    """What is no number, as a part of a key: 1, True and 1.0 are different. TypeError if it has no hash."""
    try:
        hash(x)
    except TypeError:
        raise TypeError(f"{x!r} is no number, and has no hash by which to know it again") from None
    return type(x), x


def names(structure: Any, name: str) -> list[str]:
    """A name for each number in a structure of that name: it, with the keys or places that lead to the number.

    >>> from .trees import tree_flatten
    >>> names(tree_flatten({"w": [1.0, 2.0], "b": 3.0})[1], "p")
    ['p_w0', 'p_w1', 'p_b']
    """
    if structure is NUMBER:
        return [name]
    if type(structure) is Static:
        return []
    link = "_" if isinstance(structure[1], list) or name[-1:].isdigit() else ""
    return [found for step, part in parts(structure) for found in names(part, f"{name}{link}{step}")]


def flat(structure: Any) -> list[tuple[type, int]] | None:
    """Of a tuple of numbers, and of lists or tuples of numbers, their types, and lengths or 0; else None."""
    found: list[tuple[type, int]] = []
    for _, part in parts(structure):
        kind, _, n = (float, None, 0) if part is NUMBER else part if type(part) is tuple else (None, None, 0)
        if kind not in (float, list, tuple) or type(n) is not int or (n == 0 and kind is not float):
            return None
        found.append((kind, n))
    return found


def taken(trees: Sequence[Any], shapes: list[tuple[Any, int]]) -> list[Any] | None:
    """As `tree_flatten`, but fast, if the trees are of these types and lengths, else None; that all are floats, is not
    looked at.

    >>> taken(([1.0, 2.0], 3.0), [(list, 2), (float, 0)])
    [1.0, 2.0, 3.0]
    """
    leaves: list[Any] = []
    if len(trees) == len(shapes):
        for i, (kind, n) in enumerate(shapes):
            tree = trees[i]
            if type(tree) is not kind or (n and len(tree) != n):
                return None
            leaves += tree if n else (tree,)
        return leaves
    return None


def is_plain(structure: Any, depth: int = 50) -> bool:
    """Whether Python can write it down: lists, tuples, arrays and dicts, not too deep, with simple keys."""
    if type(structure) is not tuple or not depth:
        return structure is NUMBER
    kind, _, found = structure
    if kind is dict and not all(type(key) in (str, int, bool) and " " not in repr(key) for key, _ in parts(structure)):
        return False
    return kind in (list, tuple, dict, ARRAY) and (
        type(found) is int or all(is_plain(part, depth - 1) for part in found)
    )


def text(structure: Any, numbers: Iterator[str]) -> str:
    """A tree of that plain structure, as Python writes it, of the texts of its numbers.

    >>> from .trees import tree_flatten
    >>> text(tree_flatten({"w": [0.0, 0.0], "b": (0.0,)})[1], iter("xyz"))
    "{'w': [x, y], 'b': (z,)}"
    """
    if structure is NUMBER:
        return next(numbers)
    kind, rest, _ = structure
    texts = [(step, text(part, numbers)) for step, part in parts(structure)]
    if kind is dict:
        return f"{{{', '.join([f'{step!r}: {inside}' for step, inside in texts])}}}"
    inside = ", ".join([inside for _, inside in texts])
    if kind is ARRAY:
        return f"array({rest}, [{inside}])"
    return f"[{inside}]" if kind is list else f"({inside}{',' * (len(texts) == 1)})"


def total(structure: Any, tree: str) -> list[str]:
    """Terms that add up to all numbers in a tree of that plain structure, of which `tree` is the text.

    >>> from .trees import tree_flatten
    >>> total(tree_flatten((1.0, [2.0, 3.0]))[1], "y")
    ['y[0]', 'sum(y[1])']
    """
    if structure is NUMBER:
        return [tree]
    kind, _, found = structure
    if kind is ARRAY:
        return [f"{tree}.sum()"]
    if type(found) is int:
        return [f"sum({tree}{'.values()' * (kind is dict)})"]
    return [term for step, part in parts(structure) for term in total(part, f"{tree}[{step!r}]")]
