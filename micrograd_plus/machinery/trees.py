"""Trees: a number, or a list, tuple, dict, array, ... of trees, as functions take and return them.

A tree is taken apart into its numbers, in order, and its structure, and built again from numbers and structure. What is
neither a number nor a container is part of the structure: None, a string, a function.
"""

from __future__ import annotations

from itertools import islice

from ..functions import is_complex, is_real, number, real
from ..tape import tape
from .digits import NOTHING
from .operators import sound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..functions import Function

NODES: dict[Any, tuple[Function, Function]] = {
    list: (lambda tree: (tree, None), lambda _, children: children),
    tuple: (lambda tree: (tree, None), lambda _, children: tuple(children)),
    dict: (lambda tree: ([*tree.values()], [*tree]), lambda keys, children: dict(zip(keys, children, strict=True))),
}
"""By type of container: the functions that take it apart, into children and what else it consists of, and build it."""

NUMBER = "a number"  # in a structure, the place of a number


class Static:
    """In a structure, what is no number and holds none."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it


def register_tree(kind: type, flatten: Function, unflatten: Function) -> None:
    """Make a container of one's own a tree, as JAX's `register_pytree_node` does.

    `flatten` takes a container of that type to a pair: a list of its children, which are trees, and whatever else it
    consists of. `unflatten` takes the latter and a list of new children to a new container.

    >>> class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> register_tree(Point, lambda p: ([p.x, p.y], None), lambda _, children: Point(*children))
    >>> tree_leaves([Point(1.0, 2.0), 3.0])
    [1.0, 2.0, 3.0]
    """
    NODES[kind] = flatten, unflatten


def tree_flatten(tree: Any, what: str = "a tree") -> tuple[list[Any], Any]:
    """The numbers in a tree, in order, and its structure.

    TypeError, which names `what`, if it holds a container of an unknown type, or is no tree: as None, or a string.

    >>> tree_flatten({"w": [1.0, 2.0], "b": 3.0})[0]
    [1.0, 2.0, 3.0]
    """
    leaves: list[Any] = []
    structure = _flatten(tree, leaves, what)
    if not leaves and type(structure) is not tuple:
        real(tree, what)  # says what was expected
    return leaves, structure


def tree_unflatten(structure: Any, leaves: Iterable[Any], to_array: Function | None = None) -> Any:
    """The tree of that structure, as `tree_flatten` gave it, with these numbers; `to_array` makes arrays of them.

    >>> _, structure = tree_flatten({"w": [1.0, 2.0], "b": 3.0})
    >>> tree_unflatten(structure, [10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    return _built(structure, iter(leaves), to_array)


def tree_leaves(tree: Any) -> list[Any]:
    """The numbers in a tree, in order.

    >>> tree_leaves({"w": [1.0, 2.0], "b": 3.0})
    [1.0, 2.0, 3.0]
    """
    return tree_flatten(tree)[0]


def tree_fill(tree: Any, leaves: Iterable[Any]) -> Any:
    """The structure of `tree` with other numbers in it, in order.

    >>> tree_fill({"w": [1.0, 2.0], "b": 3.0}, [10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    return tree_unflatten(tree_flatten(tree)[1], leaves)


def tree_map(function: Function, tree: Any, *others: Any, what: str = "the trees") -> Any:
    """The structure of `tree`, with `function` of the numbers that stand in the same place of it and of `others`.

    ValueError, which names `what`, if they differ in structure.

    >>> tree_map(lambda x, y: x + y, {"w": [1.0, 2.0]}, {"w": [10.0, 20.0]})
    {'w': [11.0, 22.0]}
    """
    leaves, structure = tree_flatten(tree, what)
    columns = [leaves_like(structure, tree, other, what) for other in others]
    return tree_unflatten(structure, map(function, leaves, *columns))


def tree_rows(tree: Any, rows: Iterable[Any]) -> Any:
    """The structure of `tree`, with the tree `rows[i]` in the place of its number i.

    In the place of an array stands a tree of arrays, as in JAX, with the axes of that array in front.

    >>> tree_rows([1.0, 2.0], [{"w": 3.0}, {"w": 4.0}])
    [{'w': 3.0}, {'w': 4.0}]
    """
    return tree_unflatten(tree_flatten(tree)[1], rows, _stacked)


def stop_gradient(x: Any) -> Any:
    """The numbers in `x`, a number or a structure of numbers, as constants: of no order is there a derivative by them.

    TypeError if x is no tree of numbers.

    >>> from micrograd_plus import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0
    """

    def constant(x: Any) -> Any:
        while getattr(x, "transient", False):
            x = x.data
        return x

    return tree_map(constant, x)


def leaves_like(structure: Any, tree: Any, other: Any, what: str) -> list[Any]:
    """The numbers of `other`, in the order of a `tree` of that structure; ValueError if it has not that structure.

    >>> _, structure = tree_flatten([1.0, 2.0])
    >>> leaves_like(structure, [1.0, 2.0], [3.0, 4.0], "both")
    [3.0, 4.0]
    """
    leaves: list[Any] = []
    if not _agrees(structure, _flatten(other, leaves, what, structure)):
        raise ValueError(f"{what} differ in structure: {tree!r} and {other!r}")
    return leaves


def _flatten(tree: Any, leaves: list[Any], what: str, like: Any = None) -> Any:
    """The structure of `tree`, whose numbers are added to `leaves`.

    If it is to be `like` another structure, the order in dicts is that one's, and whatever stands in the place of a
    number is taken for one.
    """
    kind: Any = type(tree)
    if kind is float or (like is NUMBER and kind not in NODES) or hasattr(kind, "operate"):
        leaves.append(tree)
        return NUMBER
    node = NODES.get(kind) or _node(tree, what)
    if node is None:
        if is_real(tree) or is_complex(tree):
            leaves.append(tree)
            return NUMBER
        return Static(tree)
    if node is ARRAY:
        if tree.shape == ():  # of an object
            return _flatten(tree.item(), leaves, what, like)
        kind = ARRAY
    children, rest = node[0](tree)
    is_like = type(like) is tuple and like[0] is kind
    if is_like and isinstance(tree, dict) and rest != like[1] and {*rest} == {*like[1]}:
        children, rest = [tree[key] for key in like[1]], like[1]
    if {float}.issuperset(map(type, children)):
        leaves += children  # the most common kind of tree, at once
        return kind, rest, len(children)
    likes: Any = [None] * len(children)
    if is_like:
        likes = [NUMBER] * like[2] if type(like[2]) is int else like[2]
        if len(likes) != len(children):
            return None
    found = [_flatten(child, leaves, what, like) for child, like in zip(children, likes, strict=True)]
    return kind, rest, len(found) if all(part is NUMBER for part in found) else found


def _built(structure: Any, leaves: Iterator[Any], to_array: Function | None = None) -> Any:
    if structure is NUMBER:
        return next(leaves)
    if type(structure) is Static:
        return structure.it
    kind, rest, parts = structure
    children = list(islice(leaves, parts)) if type(parts) is int else [_built(part, leaves, to_array) for part in parts]
    if kind is ARRAY:
        return (to_array or array)(rest, children)
    return (NODES.get(kind) or _node_of(kind))[1](rest, children)


def _stacked(shape: tuple[int, ...], rows: list[Any]) -> Any:
    """From an array of trees to a tree of arrays."""
    node = rows and type(rows[0]) is not float and (NODES.get(type(rows[0])) or _node_of(type(rows[0])))
    if not node:
        return array(shape, rows)
    columns = zip(*[node[0](row)[0] for row in rows], strict=True)
    return node[1](node[0](rows[0])[1], [_stacked(shape, list(column)) for column in columns])


def _agrees(a: Any, b: Any) -> bool:
    if type(a) is not tuple or type(b) is not tuple:
        return (a is b and a is not None) or type(a) is type(b) is Static
    (kind, rest, parts), (other_kind, other_rest, others) = a, b
    if kind is not other_kind or type(parts) is not type(others) or (kind is ARRAY and rest != other_rest):
        return False
    if isinstance(rest, list) and rest != other_rest:
        return False
    if type(parts) is int:
        return bool(parts == others)
    return len(parts) == len(others) and all(map(_agrees, parts, others))


# Containers that are told by what they have ---------------------------------------------------------------------------


def _node(tree: Any, what: str) -> Any:
    """How a container is taken apart whose type is not among NODES; None if it is no container.

    TypeError if it holds something, and nobody said how it is built again; if `what` is empty it passes as it is.
    """
    kind = type(tree).__name__
    if hasattr(tree, "iloc"):
        if not what:
            return None
        raise TypeError(f"{what}: a {kind} where numbers are expected in order: pass its array, as by .to_numpy()")
    if hasattr(tree, "shape") and hasattr(tree, "tolist"):
        return None if is_real(tree) or is_complex(tree) or tree.dtype.kind in "SUVMm" else ARRAY
    node = _node_of(type(tree))
    if what and node is None and hasattr(tree, "__iter__") and not isinstance(tree, str | bytes | bytearray | type):
        raise TypeError(
            f"{what}: a {kind} where numbers are expected: pass a list, a tuple, a dict or an array of numbers, "
            f"or say how it is taken apart by micrograd_plus.register_tree({kind}, ...)"
        )
    return node


def _node_of(kind: Any) -> Any:
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):  # a namedtuple
        return lambda tree: (tree, None), lambda _, children: kind(*children)
    if issubclass(kind, dict):  # as OrderedDict and defaultdict are
        return lambda tree: ([*tree.values()], Keys(tree)), _filled_dict
    if hasattr(kind, "__dataclass_fields__"):
        return lambda tree: ([getattr(tree, name) for name in kind.__dataclass_fields__], tree), _filled_dataclass
    return None


class Keys(list):  # type: ignore[type-arg]
    """The keys of a dict of a type of its own, and the dict: it may know more than its items, as a default."""

    def __init__(self, original: Any) -> None:
        super().__init__(original)
        self.original = original


def _filled_dict(keys: Keys, children: list[Any]) -> Any:
    from copy import copy

    new = copy(keys.original)
    for key, child in zip(keys, children, strict=True):
        new[key] = child  # a Counter's `update` would add
    return new


def _filled_dataclass(original: Any, children: list[Any]) -> Any:
    from copy import copy

    new = copy(original)
    for name, child in zip(original.__dataclass_fields__, children, strict=True):
        object.__setattr__(new, name, child)  # also of a frozen one
    return new


def array(shape: tuple[int, ...], items: list[Any]) -> Any:
    """A NumPy array of that shape: of numbers if all items are, with more axes if all items are arrays.

    >>> array((2,), [1.0, 2.0]).shape
    (2,)
    """
    import numpy

    if all(isinstance(x, float | complex) for x in items):
        return numpy.array(items, dtype=None if items else float).reshape(shape)
    if all(hasattr(x, "dtype") for x in items):
        return numpy.array(items).reshape(shape + items[0].shape)
    objects = numpy.empty(len(items), dtype=object)
    objects[:] = items
    return objects.reshape(shape)


ARRAY: Any = (lambda tree: (tree.ravel().tolist(), tree.shape)), array


# What transforms are given --------------------------------------------------------------------------------------------


def restricted(f: Function, argnums: Any, args: Any, kwargs: Any) -> tuple[Function, tuple[Any, ...], bool]:
    """`f` as a function of the arguments numbered `argnums` alone, these arguments, and whether it may have several."""
    argnums = argnums.tolist() if hasattr(argnums, "tolist") else argnums
    several = isinstance(argnums, list | tuple)
    numbers = [*argnums] if several else [argnums]
    for i in numbers:
        if not hasattr(i, "__index__") or isinstance(i, bool) or not -len(args) <= i < len(args):
            count = f"{len(args)} positional argument{'s' * (len(args) != 1)}"
            raise ValueError(f"argnums: {name_of(f)} was called with {count}, there is no number {i!r}")
    if len({i % len(args) for i in numbers}) < len(numbers):
        raise ValueError(f"argnums: {argnums!r} names an argument of {name_of(f)} twice")

    def inner(*chosen: Any) -> Any:
        arguments = list(args)
        for i, x in zip(numbers, chosen, strict=True):
            arguments[i] = x
        return f(*arguments, **kwargs)

    return named(f, inner), tuple([args[i] for i in numbers]), several


def arguments(primals: tuple[Any, ...], what: str) -> tuple[list[Any], Any]:
    """The numbers in the arguments, and their structure; TypeError if an argument is no tree of numbers."""
    for x in primals:
        if type(x) is not float and type(x) not in NODES:
            tree_flatten(x, what)  # None or a string may be part of an argument, but is none to differentiate by
    leaves, structure = tree_flatten(primals, what)
    for x in leaves:
        if getattr(x, "left", x) is None:
            sound(x)
    return [number(x, what) for x in leaves], structure


def seed(x: Any, what: str) -> Any:
    """A tangent or a cotangent: a 0 among them is meant, and passes nothing on."""
    x = number(x, what)
    return x if type(x) is not float or x else NOTHING


def one_number(y: Any, what: str) -> None:
    """TypeError, which names `what`, if `y` is not one number."""
    number(y, what)


def outcome(result: Any, what: str, level: int, settle: Function, has_aux: bool) -> tuple[Any, ...]:
    """What a function returned, and, with `has_aux`, what it returned besides, whose Values are settled.

    TypeError if it is a comparison, which has no derivative, or should be a pair and is none.
    """
    aux: list[Any] = []
    if has_aux:
        if not isinstance(result, list | tuple) or len(result) != 2:
            raise TypeError(
                f"{what}: with has_aux=True, expected a pair of the result and anything else, got {result!r}"
            )
        leaves: list[Any] = []
        structure = _flatten(result[1], leaves, "")
        result, aux = result[0], [tree_unflatten(structure, [settle(x, level - 1) for x in leaves])]
    if isinstance(result, bool) or getattr(getattr(result, "dtype", None), "kind", "") == "b":
        raise TypeError(f"{what}: expected a number, got {result}, a comparison, which has no derivative")
    return result, *aux


def basis(tree: Any, n: int) -> list[Any]:
    """The n trees of that structure with a 1 in one place."""
    return [tree_fill(tree, [1.0 if i == j else NOTHING for j in range(n)]) for i in range(n)]


def name_of(f: Any) -> str:
    """The name of a function, for messages."""
    return getattr(f, "__name__", repr(f))


def named(f: Any, function: Any) -> Function:
    """`function`, under the name of `f`, for messages. TypeError if f is no function."""
    if not callable(f):
        hint = "; of a Value, call backward(), and read the grad of its inputs" if hasattr(f, "operate") else ""
        raise TypeError(f"expected a function, got {f!r}{hint}")
    function.__name__, function.__wrapped__ = name_of(f), f
    return function  # type: ignore[no-any-return]


def freeze(results: list[Any]) -> None:
    """Where an ordinary Value, whose data may change later, is a partial: put what it is now in its place."""
    now: dict[int, Any] = {}

    def frozen(partial: Any) -> Any:
        if not hasattr(partial, "left") or partial.level or partial.left is not None:
            return partial
        if id(partial) not in now:
            now[id(partial)] = partial + 0.0
        return now[id(partial)]

    for node in tape(*results):
        if type(node.right) is tuple:
            node.right = tuple(map(frozen, node.right))
        else:
            node.d_left, node.d_right = frozen(node.d_left), frozen(node.d_right)
