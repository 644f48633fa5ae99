"""What was made in a module of a network, framed or folded into one box.

A module leaves with its results what it was given, and that is all: what it made of that is found when it is drawn, on
the way back from these to those.
"""

from __future__ import annotations

from ..machinery.digits import times
from ..tape import operands
from ..value import Value, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


class Group:
    """A module that was called in a graph: its kind, its parameters, its name in their labels, and all that it made."""

    def __init__(self, module: Any, rank: int) -> None:
        self.kind, self.name, self.rank = type(module).__name__, "", rank  # inner modules come first
        self.made: set[Value] = set()
        self.parameters = {x: name for name, x in module.named_parameters() if isinstance(x, Value)}
        for x, name in self.parameters.items():  # the last one decides, as the first is shared more often
            if x.label.endswith(f".{name}"):
                self.name = x.label.removesuffix(f".{name}")


class Call:
    """A call of a module: the Values it was given, its results, and what it made on the way from these to those."""

    def __init__(self, module: Group, inputs: Any) -> None:
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


class Box:
    """A box of a drawing: a Value, or what is used outside of a folded call.

    `inputs` are what it is made of, with the derivatives, None for constants; `around` the modules in whose frames it
    stands, the outermost first; `module` the one that is folded.
    """

    def __init__(self, value: Value, inputs: list[tuple[Any, Any]], around: tuple[Group, ...], module: Any) -> None:
        self.values, self.inputs, self.around, self.module = [value], inputs, around, module


def short(label: str, around: tuple[Group, ...]) -> str:
    """The label without the name of the innermost of these modules that it begins with."""
    for module in reversed(around):
        if module.name and label.startswith(f"{module.name}."):
            return label[len(module.name) + 1 :]
    return label


def boxes_of(nodes: list[Value], roots: Sequence[Value], groups: Any, fold: Any) -> list[Box]:
    """What is drawn of the tape that leads to these roots, in its order."""
    if not groups and not fold:
        return [Box(node, operands(node), (), None) for node in nodes]
    calls = _calls(nodes)
    modules = list(dict.fromkeys([call.module for call in calls]))
    framed, folded = _chosen(modules, groups, "groups"), _chosen(modules, fold, "fold")
    framed = [module for module in framed if module not in folded]
    home, seen = _homes(nodes, set(roots), [call for call in calls if call.module in folded])
    inputs = _inputs(nodes, home, seen)
    boxes: dict[Any, Box] = {}
    nests: dict[Any, tuple[Group, ...]] = {}
    for node in [node for node in nodes if node in seen]:
        if node not in home:
            boxes[node] = Box(node, operands(node), _nest(node, framed, nests), None)
            continue
        # What depends on the same results of others is one box: so it cannot be one end of a cycle.
        key = home[node], frozenset([x for x, _ in inputs[node] if x.left is not None])
        if key in boxes:
            boxes[key].values.append(node)
            boxes[key].inputs = list((dict(boxes[key].inputs) | dict(inputs[node])).items())
        else:
            module = home[node].module
            nest = (*_nest(node, [*framed, module], nests), module)
            boxes[key] = Box(node, inputs[node], nest[: nest.index(module)], module)
    return list(boxes.values())


def _homes(nodes: list[Value], roots: set[Value], folded: list[Call]) -> tuple[dict[Value, Call], set[Value]]:
    """The outermost of the folded calls that each Value was made in, if one is, and the Values that are seen.

    Of a call one sees what is used outside. A parameter is inside as long as no other module uses it.
    """
    home: dict[Value, Call] = {}
    for call in sorted(folded, key=lambda call: len(call.made)):
        home |= dict.fromkeys(call.made, call)
    users: dict[Value, list[Call | None]] = {node: [] for node in nodes}
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


def _inputs(nodes: list[Value], home: dict[Value, Call], seen: set[Value]) -> dict[Value, list[tuple[Any, Any]]]:
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


def _calls(nodes: list[Value]) -> list[Call]:
    """The calls of modules that had results in this graph, an inner one before the one that it was made in."""
    modules: dict[int, Group] = {}
    calls: dict[int, Call] = {}
    for node in nodes:
        for call in node.rule.calls:
            module, inputs = call
            if id(module) not in modules:
                modules[id(module)] = Group(module, len(modules))
            if id(call) not in calls:
                calls[id(call)] = Call(modules[id(module)], inputs)
            calls[id(call)].results.append(node)
    for found in calls.values():
        found.find()
    return list(calls.values())


def _nest(node: Value, modules: list[Group], nests: dict[Any, tuple[Group, ...]]) -> tuple[Group, ...]:
    """The modules that made this Value, the outermost first, without such as share it and are not one in the other."""
    made = tuple([module for module in modules if node in module.made])
    if made not in nests:  # to compare what modules made takes long, and few combinations of modules occur
        nest = sorted(made, key=lambda m: (len(m.made), m.rank), reverse=True)
        nests[made] = tuple([m for m in nest if all(m.made <= x.made or m.made >= x.made for x in nest)])
    return nests[made]


def _chosen(modules: list[Group], wanted: Any, option: str) -> list[Group]:
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
