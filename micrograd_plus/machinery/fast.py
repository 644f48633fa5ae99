"""The same operators and the same sweep, flat: what value.py says, for the cases in which programs spend their time.

Nothing here is needed to understand the library: MICROGRAD_PLUS_PLAIN=1 leaves it out, and tests/test_fast.py holds
that every number comes out the same, to the last bit. What is none of these cases, or raises, is left to the readable
code, which does the same once more and says what went wrong.

The operators are written from the rules. Their text: `MICROGRAD_PLUS_PLAIN=1 python -m micrograd_plus.machinery.fast`.
"""

from __future__ import annotations

from .. import value as readable
from ..functions import OVER_NUMBERS, deepest, real
from ..rules import RULES
from ..tape import parents
from ..value import INPUT, Dual, Value
from . import digits
from .digits import NOTHING, plus, times
from .operators import Number, arrived, constant, is_operand, sound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..rules import Rule

    Operation = Callable[[Any, Any], Any]

# An operator between `x` and `y`: first of two Values, then, as BESIDE says it, of one and a number.
# `lines` compute the result and the partials from the numbers a and b.
BETWEEN = """
def flat(x, y):
    kind = type(x)
    if type(y) is kind and x.level == y.level:
        a, b = x.data, y.data
        try:
            {lines}
        except (TypeError, ValueError, ArithmeticError):
            return plain(x, y)
        node = new(kind)
        node.data = {data}
        node.grad = NOTHING
        node.level = x.level
        s, t = x.tangent, y.tangent
        if s is t is NOTHING:
            node.tangent = NOTHING
        elif type(s) is type(t) is type({data}) is float and 0.0 < abs(tangent := s * {d_left} + t * {d_right}):
            node.tangent = tangent
        else:
            node.tangent = plus(plus(NOTHING, times(s, {d_left}, (rule, x))), times(t, {d_right}, (rule, y)))
        if kind is Dual:
            node.rule = INPUT
            node.left = node.right = node.d_left = node.d_right = None
        else:
            node.rule = rule
            node.left = x
            node.right = y
            node.d_left = {d_left}
            node.d_right = {d_right}
        return node
"""
BESIDE = """
    if type({other}) is float:
        a, b = {numbers}
        try:
            {lines}
        except (TypeError, ValueError, ArithmeticError):
            return plain({self}, {other})
        node = new(kind)
        node.data = {data}
        node.grad = NOTHING
        node.level = {self}.level
        s = {self}.tangent
        if s is NOTHING:
            node.tangent = NOTHING
        elif type(s) is type({data}) is float and 0.0 < abs(tangent := s * {partial}):
            node.tangent = tangent
        else:
            node.tangent = plus(NOTHING, times(s, {partial}, (rule, {self})))
        if kind is Dual:
            node.rule = INPUT
            node.left = node.right = node.d_left = node.d_right = None
        else:
            node.rule = rule
            node.left = x
            node.right = y
            node.{d_self} = {partial}
            node.{d_other} = None
        return node
    if type({other}) is int:
        return flat({self}, real({other}, rule.name))
    return plain({self}, {other})
"""
RIGHT = {"self": "x", "other": "y", "numbers": "x.data, y or constant(y)", "d_self": "d_left", "d_other": "d_right"}
LEFT = {"self": "y", "other": "x", "numbers": "x or constant(x), y.data", "d_self": "d_right", "d_other": "d_left"}


class Word(Number):
    """An operand of a rule as a word of a program: what is done to it becomes `lines` of that program."""

    level = 0

    def __init__(self, text: str, lines: list[str]) -> None:
        self.text, self.lines = text, lines

    def operate(self, name: str, operands: tuple[Any, ...]) -> Word:
        self.lines.append(f"t{len(self.lines)} = {RULES[name].program([str(x) for x in operands])}")
        return Word(self.lines[-1].partition(" = ")[0], self.lines)

    def __str__(self) -> str:
        return self.text


def texts(rule: Rule, inline: bool) -> tuple[str, str]:
    """The operator of a rule, and the one that Python asks when the left operand has none, as programs."""
    lines = ["data, d_left, d_right = rule.partials(a, b)"]
    parts = ["data", "d_left", "d_right"]
    if inline:
        lines.clear()
        parts = [str(part) for part in rule.partials(Word("a", lines), Word("b", lines))]
    names = {"lines": "; ".join(lines), "data": parts[0], "d_left": parts[1], "d_right": parts[2]}
    right = BETWEEN.format(**names) + BESIDE.format(**names, **RIGHT, partial=parts[1])
    if rule.name == "pow":  # Python's pow(x, y, modulus)
        right = right.replace(
            "(x, y):", "(x, y, *modulus):\n    if modulus:\n        return refused(x, y, *modulus)", 1
        )
    return right, "\ndef flat(y, x):\n    kind = type(y)" + BESIDE.format(**names, **LEFT, partial=parts[2])


def operators(rule: Rule, codes: Any) -> list[Operation]:
    """These programs as functions."""
    found = []
    for code, reflected in zip(codes, (False, True), strict=True):
        plain = readable_operator(rule, reflected)
        names: dict[str, Any] = (
            OVER_NUMBERS
            | {"abs": abs, "constant": constant}
            | {"INPUT": INPUT, "NOTHING": NOTHING, "Dual": Dual, "new": object.__new__}
        )
        names |= {"plain": plain, "plus": plus, "real": real, "refused": Number.__pow__, "rule": rule, "times": times}
        names["__name__"] = __name__  # a warning looks past the frames of this package
        exec(code, names)
        names["flat"].__name__ = rule.name
        found.append(names["flat"])
    return found


def readable_operator(rule: Rule, reflected: bool) -> Operation:
    """As the operator of `Number`, but no flat code is asked again."""

    def plain(self: Any, other: Any) -> Any:
        operands = (other, self) if reflected else (self, other)
        if not is_operand(other, rule, operands):
            return NotImplemented
        top = deepest(operands)
        return READABLE(top, rule.name, operands) if isinstance(top, Value) else top.operate(rule.name, operands)

    return plain


def of_one(rule: Rule) -> Callable[[Any], Any]:
    """The method `x.operation()`."""

    def flat(x: Any) -> Any:
        kind = type(x)
        try:
            data, slope = rule.partials(x.data)
        except (TypeError, ValueError, ArithmeticError):
            return READABLE(x, rule.name, (x,))
        node = object.__new__(kind)
        node.data = data
        node.grad = NOTHING
        node.level = x.level
        s = x.tangent
        if s is NOTHING:
            node.tangent = NOTHING
        elif type(s) is type(slope) is float and abs(tangent := s * slope) > 0.0:
            node.tangent = tangent
        else:
            node.tangent = plus(NOTHING, times(s, slope, (rule, x)))
        node.right = node.d_right = None
        if kind is Dual:
            node.rule = INPUT
            node.left = node.d_left = None
        else:
            node.rule = rule
            node.left = x
            node.d_left = slope
        return node

    flat.__name__, flat.__doc__ = rule.name, getattr(Number, rule.name).__doc__
    return flat


def operate(self: Value, name: str, operands: tuple[Any, ...]) -> Any:
    """As Value.operate."""
    if len(operands) == 1 and name in ONE:
        return ONE[name](self)
    if len(operands) == 2 and name in TWO:
        x, y = operands
        if isinstance(x, Value) and (type(y) is float or isinstance(y, Value)):
            return TWO[name][0](x, y)
        if type(x) is float:
            return TWO[name][1](y, x)
    return READABLE(self, name, operands)


def product(x: Any, y: Any) -> Any:
    """As `digits._times`: the product of the chain rule, of which neither is a float 0 or 1."""
    if type(x) is type(y) is float:
        return x * y
    if type(x) is Value:
        return TWO["times"][0](x, y)
    return TWO["times"][1](y, x) if type(y) is Value else _times(x, y)


def sweep(roots: list[tuple[Value, Any]]) -> None:
    """As value.sweep."""
    mark = float("0")  # a new object: by its identity, the gradient of a node that was visited
    order: list[Any] = []
    stack: list[Any] = [root for root, _ in reversed(roots) if root.left is not None]
    while stack:
        node = stack.pop()
        if node is None:  # all operands of the node below are in order
            order.append(stack.pop())
        elif node.grad is not mark:
            node.grad = mark
            # The operands that were computed go on the stack, the left one on top; spelt out, as this is a hot loop. Of
            # an operand that was not computed the data is looked at.
            if (
                node.d_right is not None
                and ((right := node.right).left is not None or (type(right.data) is not float and not sound(right)))
                and right.grad is not mark
            ):
                stack += (node, None, right)
                if (
                    node.d_left is not None
                    and ((left := node.left).left is not None or (type(left.data) is not float and not sound(left)))
                    and left.grad is not mark
                ):
                    stack.append(left)
            elif (
                node.d_left is not None
                and ((left := node.left).left is not None or (type(left.data) is not float and not sound(left)))
                and left.grad is not mark
            ):
                stack += (node, None, left)
            elif type(node.left) is tuple:
                stack += (node, None, *[x for x, _ in reversed(parents(node)) if x.left is not None or not sound(x)])
            else:
                order.append(node)
    for root, grad in roots:
        root.grad = plus(root.grad, grad) if root.left is not None or sound(root) else NOTHING
    order.reverse()
    for node in order:
        grad = node.grad
        if type(grad) is float and grad:
            d_left, d_right = node.d_left, node.d_right
            if type(d_left) is float:
                if d_left:
                    node.left.grad += grad * d_left
                elif d_left is not NOTHING and (node.left.left is not None or grad - grad != 0.0):
                    pull_zero(node, node.left, d_left)  # a finite zero matters to no leaf
            elif d_left is not None or type(node.left) is tuple:
                pull(node)
                continue
            if type(d_right) is float:
                if d_right:
                    node.right.grad += grad * d_right
                elif d_right is not NOTHING and (node.right.left is not None or grad - grad != 0.0):
                    pull_zero(node, node.right, d_right)
            elif d_right is not None:
                pull_one(node, node.right, d_right)
        elif grad is not mark:
            pull(node)


def pull(node: Value) -> None:
    """One step of value.sweep."""
    for x, partial in parents(node):
        pull_one(node, x, partial)


def pull_zero(node: Value, x: Value, partial: float) -> None:
    """The share of an operand whose partial is 0, and is no choice."""
    if type(x.grad) is float and node.grad - node.grad == 0.0:
        x.grad += 0.0  # no infinity meets it, but something arrives
    else:
        pull_one(node, x, partial)


def pull_one(node: Value, x: Value, partial: Any) -> None:
    """The share of one operand."""
    x.grad = plus(x.grad, arrived(times(node.grad, partial, (node.rule, x)), x))


READABLE, _times = Value.operate, digits._times
INLINE = "add", "sub", "mul", "truediv"
ONE = {name: of_one(rule) for name, rule in RULES.items() if "{y}" not in rule.template and not rule.sequences}
TWO: dict[str, list[Operation]] = {}
OTHERS: list[Any] = []  # the program of all operators that are not INLINE, compiled


def flat(rule: Rule) -> list[Operation]:
    """The operators of a rule of two operands."""
    if rule.name in (*INLINE, "pow"):
        return operators(rule, texts(rule, inline=rule.name in INLINE))
    if not OTHERS:
        OTHERS.extend(compile(text, "<an operator of fast.py>", "exec") for text in texts(rule, inline=False))
    return operators(rule, OTHERS)


def later(name: str) -> list[Operation]:
    """Operators that are written when they are first used: to write all would double the time of `import`."""

    def written() -> list[Operation]:
        put(name, flat(RULES[name]))
        return TWO[name]

    return [lambda x, y, *more: written()[0](x, y, *more), lambda y, x: written()[1](y, x)]


def put(name: str, operation: list[Operation]) -> None:
    """Make Values use this operator."""
    TWO[name] = operation
    if name in (*INLINE, "mod", "pow"):
        setattr(Value, f"__{name}__", operation[0])
        setattr(Value, f"__r{name}__", operation[1])


def install() -> None:
    """Put all this in the place of the readable code."""
    for name, method in ONE.items():
        setattr(Value, name, method)
    for name in ("neg", "abs", "floor", "ceil"):
        setattr(Value, f"__{name}__", ONE[name])
    for name, rule in RULES.items():
        if "{y}" in rule.template and not rule.sequences:
            put(name, later(name))
    Value.operate = operate  # type: ignore[method-assign]
    digits._times = product
    readable.sweep = sweep


if __name__ == "__main__":
    for name in INLINE:
        print(f"# {name}", *texts(RULES[name], inline=True))
