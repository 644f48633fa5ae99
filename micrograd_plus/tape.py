"""The order of a graph: a sequence in which everything stands after what it was made from.

Nothing is recorded while a program runs except by the Values themselves: each holds its operands and its partial
derivatives. The tape is made afterwards, by walking from a result back to its inputs; what no variable refers to any
more is freed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .value import Value


def operands(node: Value) -> list[tuple[Any, Any]]:
    """Pairs of an operand of `node` and the partial derivative with respect to it, None for a constant.

    >>> from micrograd_plus import Value
    >>> operands(Value(3.0, label="x") * 2.0)
    [(Value(data=3.0, grad=0.0, label='x'), 2.0), (2.0, None)]
    """
    if type(node.left) is tuple:  # of an operation over a sequence: all operands, and in `right` all partials
        return list(zip(node.left, node.right, strict=True))
    pairs = [(node.left, node.d_left), (node.right, node.d_right)]
    return [pair for pair in pairs if pair[0] is not None]


def parents(node: Value) -> list[tuple[Value, Any]]:
    """Of these pairs those whose operand is not a constant.

    >>> from micrograd_plus import Value
    >>> parents(Value(3.0, label="x") * 2.0)
    [(Value(data=3.0, grad=0.0, label='x'), 2.0)]
    """
    return [pair for pair in operands(node) if pair[1] is not None]


def tape(*roots: Value) -> list[Value]:
    """All Values that `roots` were made from, and the roots, each after its operands: an order in which it could run.

    >>> from micrograd_plus import Value
    >>> x = Value(3.0)
    >>> [node.data for node in tape(x * x + x)]
    [3.0, 9.0, 12.0]
    """
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = list(reversed(roots))
    while stack:  # not by recursion: a graph may be a million operations deep
        node = stack.pop()
        if node is None:  # all operands of the node under this mark are on the tape
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None, *[x for x, _ in reversed(parents(node))])
    return order
