"""Value: a number that remembers where it came from.

Every operation knows its value and its local derivatives, its *partials*: a rule says both (rules.py). Take y = x * x
at x = 3. The value is 9, the partials are 3 and 3, and from these dy/dx = 6 comes in two ways:

    forward   while the program runs: x has the tangent 1, so y gets the tangent 3 · 1 + 3 · 1 = 6
    reverse   afterwards: y has the gradient 1, and passes 3 · 1 back to x, twice: 3 + 3 = 6

Forward mode says how every number depends on one input, reverse mode how one output depends on every number.
"""

from __future__ import annotations

from .functions import deepest, number, real

# `plus` and `times` are + and ×, but 0 wins against ∞. NOTHING is a 0.0 known by `is`: no tangent or gradient arrived.
from .machinery.digits import NOTHING, doubts, plus, times
from .machinery.digits import bottom as bottom
from .machinery.operators import Number, arrived, constant, explained, sound
from .rules import RULES, Rule
from .tape import parents, tape

TYPE_CHECKING = False  # typing is for the type checker: importing it would double the time of `import micrograd_plus`
if TYPE_CHECKING:
    from .machinery.signatures import Any, Real


def operate(rule: Rule, operands: tuple[Any, ...]) -> Any:
    """The result of an operation: its number, its tangent, and what it was made of with which partials."""
    deep = deepest(operands)
    if not isinstance(deep, Value):
        return deep.apply(rule, operands)  # a series
    ours = [is_at(x, deep.level) for x in operands]  # the others are constants: plain numbers, Values of outer levels
    numbers = [x.data if its else constant(x) for x, its in zip(operands, ours, strict=True)]
    data, *partials = rule.partials(*numbers)
    result = variable(data, deep.level, type(deep))
    for i, x in enumerate(operands):
        if ours[i]:  # forward mode: its tangent is pushed along the partial
            result.tangent = plus(result.tangent, times(x.tangent, partials[i], (rule, x)))
        else:
            partials[i] = None  # no gradient passes to a constant
    result.remember(rule, operands, partials)
    return result


def sweep(roots: list[tuple[Value, Any]]) -> None:
    """Reverse mode: pull the gradients given with `roots` back through the graph. In leaves they add up."""
    order = tape(*[root for root, _ in roots])
    for node in order:
        node.grad = node.grad if node.left is None and sound(node) else NOTHING  # results start anew, leaves add up
    for root, gradient in roots:
        root.grad = plus(root.grad, gradient)
    for node in reversed(order):  # a node's turn comes when all that used it have passed their share to it
        for x, partial in parents(node):
            x.grad = plus(x.grad, arrived(times(node.grad, partial, (node.rule, x)), x))


class Value(Number):
    """A number with its derivatives: `data`, `tangent` (forward mode), `grad` (reverse mode), and a `label`.

    It was made by `rule` from the operands `left` and `right`, with the partial derivatives `d_left` and `d_right`,
    None for constants; of operations over sequences `left` holds all operands and `right` all partials. `level` is 0,
    or the number of the transform call that it belongs to: one that starts inside another has the higher number, is
    "deeper", and its Values hold those of the outer one as their `data`. Operators come from `Number`: x + y calls
    operate("add", (x, y)). TypeError if `data` or `tangent` is not a real number.

    >>> x = Value(3.0, tangent=1.0, label="x")
    >>> y = x * x
    >>> y.backward()
    >>> y.data, y.tangent, x.grad
    (9.0, 6.0, 6.0)
    """

    # Flat slots: tuples, sets and closures for each node are what the garbage collector spends its time on.
    __slots__ = ("d_left", "d_right", "data", "grad", "left", "level", "right", "rule", "tangent")
    transient = True

    def __init__(self, data: Real, *, tangent: Real = NOTHING, label: str = "") -> None:
        self.data: Any = real(data, label or "Value")
        self.tangent: Any = real(tangent, "Value: the tangent") or NOTHING
        self.grad: Any = NOTHING
        self.level = 0
        self.rule = INPUT
        self.left: Any = None
        self.right: Any = None
        self.d_left: Any = None
        self.d_right: Any = None
        if label != "":
            self.label = label

    def backward(self, grad: Any = 1.0) -> None:
        """Reverse mode: add the derivatives of this Value, times `grad`, to the `grad` of all it was made of.

        In the results between, unlike in the inputs, the `grad` of an earlier call is forgotten. TypeError if this is a
        Value of a transform, `grad` no number, or the data of an input no float. RuntimeWarning if a zero met infinity.

        >>> a = Value(2.0)
        >>> (a * a * a).backward()
        >>> a.grad
        12.0
        """
        if self.level or hasattr(bottom(self), "operate"):
            inside = "a transform" if self.level else "jit"
            raise TypeError(f"{self!r}.backward(): inside of {inside} there are vjp and grad for that")
        with doubts:
            sweep([(self, real(grad, "backward") or NOTHING)])

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, of which this Value is the deepest."""
        operands = tuple([number(x, name) for x in operands])
        try:
            return operate(RULES[name], operands)
        except (ValueError, ArithmeticError) as error:
            named = [(x.label, x.data) if isinstance(x, Value) else ("", x) for x in operands]
            raise explained(error, RULES[name], named) from None

    def remember(self, rule: Rule, operands: tuple[Any, ...], partials: list[Any]) -> None:
        """Keep what this Value was made of, for the way back."""
        self.rule = rule
        if len(operands) > 2:
            self.left, self.right = operands, tuple(partials)
        else:
            self.left, self.d_left = operands[0], partials[0]
            if len(operands) == 2:
                self.right, self.d_right = operands[1], partials[1]

    def compare(self, holds: Any, other: Any) -> Any:
        """Whether a comparison holds for the numbers: so ordinary control flow works."""
        return holds(self.data, other.data if is_at(other, self.level) else other)

    @property
    def label(self) -> str:
        """The name in drawings and messages; the empty string if there is none."""
        return self.rule.label

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"label: expected a string, got {label!r} ({type(label).__name__})")
        self.rule = self.rule.marked(label, self.rule.calls)  # a copy of the rule holds it: most Values need no room
        if hasattr(symbol := bottom(self), "label"):
            symbol.label = label  # a program that jit records tells the same names

    def _backward(self) -> None:
        for x, partial in parents(self):
            x.grad = plus(x.grad, times(self.grad, partial, (self.rule, x)))

    # micrograd's names, for programs that walk its graph
    _prev = property(lambda self: {x for x, _ in parents(self)})
    _op = property(lambda self: self.rule.symbol())

    def __repr__(self) -> str:
        tangent = "" if self.tangent is NOTHING else f", tangent={self.tangent!r}"
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{tangent}{label})"

    def __format__(self, spec: str) -> str:
        return format(bottom(self), spec) if spec else str(self)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __copy__(self) -> Value:
        if self.level or hasattr(bottom(self), "operate"):
            return self  # inside a transform its gradient would be lost
        if self.left is not None:
            raise TypeError(f"{self!r} was computed: copy its number, {self.label or 'v'}.data, or compute it again")
        return _restore(self.data, self.grad, self.label, self.tangent)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.__copy__() is self:
            raise TypeError(f"{self!r} is of a transform that runs: it cannot be pickled; its number is .data")
        return _restore, (self.data, self.grad, self.label, self.tangent)


class Dual(Value):
    """A Value for forward mode alone: it remembers nothing, so a long program takes no more memory than a short one."""

    __slots__ = ()

    def remember(self, rule: Rule, operands: tuple[Any, ...], partials: list[Any]) -> None:
        """Keep nothing."""


INPUT = Rule("", "", lambda: ())  # of a Value that was not computed


def variable(data: Any, level: int, kind: type[Value] = Value) -> Value:
    """A leaf of that level, around a number that may be a Value of an outer level.

    >>> variable(Value(3.0), level=7)
    Value(data=Value(data=3.0, grad=0.0), grad=0.0)
    """
    value = object.__new__(kind)
    value.data, value.level, value.rule = data, level, INPUT
    value.tangent = value.grad = NOTHING
    value.left = value.right = value.d_left = value.d_right = None
    return value


def is_at(x: Any, level: int) -> bool:
    """Whether `x` is a Value of that level.

    >>> is_at(Value(3.0), 0), is_at(Value(3.0), 7), is_at(3.0, 0)
    (True, False, False)
    """
    return isinstance(x, Value) and x.level == level


def _restore(data: float, grad: float, label: str, tangent: float) -> Value:
    value = Value(data, label=label, tangent=tangent)
    value.grad = grad or NOTHING
    return value
