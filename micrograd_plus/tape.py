"""A graph as a sequence, in which everything stands after what it was made from, and the backward sweep over it.

Nothing is recorded while a program runs except by the Values themselves: each holds its operands and its partial
derivatives. The tape is made afterwards, by walking from a result back to its inputs; what nobody holds is freed.
"""

from __future__ import annotations

from .functions import chained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .value import Value

ZERO = 0.0  # this very object stands for "no gradient arrived" and "no tangent": it is tested with `is`


def operands(node: Value) -> list[tuple[Any, Any]]:
    """The operands of `node`, each with the partial derivative; the partial of a constant is None.

    >>> from micrograd_plus import Value
    >>> operands(Value(3.0, label="x") * 2.0)
    [(Value(data=3.0, grad=0.0, label='x'), 2.0), (2.0, None)]
    """
    if type(node.x) is tuple:  # more than two operands: x holds them all, and y their partials
        return list(zip(node.x, node.y, strict=True))
    pairs = [(node.x, node.dx), (node.y, node.dy)]
    return [pair for pair in pairs if pair[0] is not None]


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
    while stack:
        node = stack.pop()
        if node is None:  # all operands of the node below are on the tape
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += [x for x, partial in reversed(operands(node)) if partial is not None]
    return order


def sweep(roots: list[tuple[Value, Any]]) -> None:
    """Reverse mode: pull the gradients given with `roots` back through the graph, down to its leaves.

    With care for zeros, for constants, and for numbers that are Values, it is

        for node in reversed(tape(root)):
            for operand, partial in operands(node):
                operand.grad += node.grad * partial

    Gradients add up in the leaves; those of the nodes between start from zero. Along a path on which a partial is zero
    nothing is passed on: what has no influence cannot make 0 · ∞ = nan.
    """
    mark = float("0")  # a new object: a node's fresh gradient, and by its identity the sign that it has been visited
    order: list[Any] = []
    flat = not roots[0][0].level if roots else True
    stack: list[Any] = [root for root, _ in roots if root.x is not None]
    while stack:
        node = stack.pop()
        if node is None:  # all operands of the node below are in order
            order.append(stack.pop())
        elif node.grad is not mark:
            node.grad = mark
            # The operands that are no constants go on the stack, above the node; spelt out, as this is a hot loop:
            if node.dx is not None and (x := node.x).grad is not mark and x.x is not None:
                stack += (node, None, x)
                if node.dy is not None and (y := node.y).grad is not mark and y.x is not None:
                    stack.append(y)
            elif node.dy is not None and (y := node.y).grad is not mark and y.x is not None:
                stack += (node, None, y)
            elif type(node.x) is tuple:
                flat = flat and not hasattr(type(node.y[0]), "total")  # of a batch, it is an array
                stack += (node, None, *[x for x, partial in operands(node) if partial is not None and x.x is not None])
            else:
                order.append(node)
    for root, grad in roots:
        root.grad = root.grad + grad
    order.reverse()
    if not flat:
        for node in order:
            _pull(node)
        return
    for node in order:  # numbers all the way: the same, flat
        grad = node.grad
        if grad:
            if dx := node.dx:
                node.x.grad += grad * dx
            elif type(node.x) is tuple:
                _pull(node)
            if dy := node.dy:
                node.y.grad += grad * dy


def _pull(node: Value) -> None:
    """One step of the sweep over numbers of any kind: outer Values, of which a zero may still depend on something."""
    from .value import bottom

    for x, partial in operands(node):
        if partial is not None:
            share = chained(node.grad, partial)
            if x.x is None and hasattr(type(batch := bottom(share)), "total") and batch.level > x.level:
                share = batch.total(share)  # an array of samples that the leaf knows nothing of
            # A zero that is a float means "nothing yet": to add to it would make a node of an outer level for nothing.
            x.grad = x.grad + share if type(x.grad) is not float or x.grad else share
