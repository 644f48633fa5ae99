"""Value: a number that remembers where it came from.

Take y = x * x at x = 3. The rule of `*` gives the value, 9, and the two partial derivatives, 3 and 3. The Value y keeps
all of them, so the derivative dy/dx = 6 can be had in two ways:

    forward   x has the tangent 1; as `*` runs, y gets the tangent 3 · 1 + 3 · 1 = 6
    reverse   afterwards, y gets the gradient 1, and passes 3 · 1 back to x twice: 3 + 3 = 6

Forward mode gives the derivatives of every number with respect to one input, reverse mode those of one output with
respect to every number. The numbers themselves may be Values, of an outer level: then derivatives are differentiated.
"""

from __future__ import annotations

from . import tape
from .functions import chained, is_real, number, real
from .rules import FUNCTIONS, RULES, Rule
from .tape import ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_new = object.__new__
_leaf = Rule("", "", lambda: ())


class Value:
    """A number with its derivatives: `data`, `tangent` (forward mode), `grad` (reverse mode), and a `label`.

    `x`, `y` are the operands it was made of by `rule`, `dx`, `dy` its partial derivatives with respect to them, None
    for constants; with more operands than two, `x` and `y` hold all operands and all partials. `level` is 0, or the
    number of the transform that made it or its operands. TypeError if `data` or `tangent` is not a real number.

    >>> x = Value(3.0, tangent=1.0, label="x")
    >>> y = x * x
    >>> y.backward()
    >>> y.data, y.tangent, x.grad
    (9.0, 6.0, 6.0)
    """

    # Flat slots: tuples, sets and closures for each node are what the garbage collector spends its time on. A label
    # has no slot of its own, as most Values have none: it is kept with the rule. The slot dx is ∂self/∂x, dy ∂self/∂y.
    __slots__ = ("data", "dx", "dy", "grad", "level", "rule", "tangent", "x", "y")

    def __init__(self, data: Any, *, tangent: Any = ZERO, label: str = "") -> None:
        self.data = real(data, label or "Value")
        self.tangent = tangent if tangent is ZERO else real(tangent, "Value: the tangent")
        self.grad: Any = ZERO
        self.level = 0
        self.rule = _leaf
        self.x: Any = None
        self.y: Any = None
        self.dx: Any = None
        self.dy: Any = None
        if label != "":
            self.label = label

    @property
    def label(self) -> str:
        """The name in drawings and messages; the empty string if there is none."""
        return self.rule.label

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"label: expected a string, got {label!r} ({type(label).__name__})")
        self.rule = self.rule.marked(label, self.rule.calls)
        if hasattr(symbol := bottom(self.data), "label"):
            symbol.label = label  # a program that is being recorded tells the same names

    def backward(self, grad: Any = 1.0) -> None:
        """Reverse mode: add the derivatives of this Value, times `grad`, to the `grad` of all it was made of.

        In the Values between, unlike in the inputs, the `grad` of an earlier call is forgotten. TypeError if this is a
        Value of a transform, or `grad` no number.

        >>> a = Value(2.0)
        >>> (a * a * a).backward()
        >>> a.grad
        12.0
        """
        if self.level:
            raise TypeError(f"{self!r}.backward(): inside of a transform there are vjp and grad for that")
        if hasattr(bottom(self.data), "operate"):
            raise TypeError(f"{self!r}.backward(): inside of jit there are vjp and grad for that")
        tape.sweep([(self, real(grad, "backward"))])

    def operate(self, name: str, operands: tuple[Any, ...]) -> Value:
        """The operation of that name on these operands, at least one of which is a Value."""
        rule = RULES[name]
        if len(operands) == 1 and type(self) is Value:
            return _of_one(rule, self, self, None, self.data)
        return _operate(rule, operands)

    def __repr__(self) -> str:
        tangent = "" if self.tangent is ZERO else f", tangent={self.tangent!r}"
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{tangent}{label})"

    _prev = property(lambda self: {x for x, partial in tape.operands(self) if partial is not None})  # as micrograd
    _op = property(lambda self: self.rule.symbol())  # calls them, for programs that walk its graph

    # A comparison looks at the numbers, so ordinary control flow works; the hash is by identity.

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self.data == self._number(other)

    def __ne__(self, other: object) -> Any:
        return self.data != self._number(other)

    def __lt__(self, other: Any) -> Any:
        return self.data < self._number(other)

    def __le__(self, other: Any) -> Any:
        return self.data <= self._number(other)

    def __gt__(self, other: Any) -> Any:
        return self.data > self._number(other)

    def __ge__(self, other: Any) -> Any:
        return self.data >= self._number(other)

    def _number(self, other: Any) -> Any:
        if hasattr(other, "meet"):
            other.meet(self)
        return other.data if isinstance(other, Value) and other.level >= self.level else other

    def __pos__(self) -> Value:
        return self

    def __format__(self, spec: str) -> str:
        return format(bottom(self), spec) if spec else str(self)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        name = self.label or "v"
        raise TypeError(
            f"{self!r} cannot become a float without losing its gradient: "
            f"write {name}.data for the number alone, or mg.sin({name}) instead of math.sin({name})"
        )

    __int__ = __complex__ = __float__

    # A copy, and what comes back from a pickle, has the number, the gradient and the label, but no history.
    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (bottom(self.data), bottom(self.grad), self.label)

    if TYPE_CHECKING:  # a type checker cannot see that these are made below, from the rules

        def _operator(self, other: Any) -> Value: ...
        def __neg__(self) -> Value: ...
        def __abs__(self) -> Value: ...
        def __getattr__(self, name: str) -> Callable[..., Value]: ...

        __add__ = __sub__ = __mul__ = __truediv__ = __mod__ = __pow__ = _operator
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rmod__ = __rpow__ = _operator


class Dual(Value):
    """A Value for forward mode alone: it remembers nothing, so a long program takes no more memory than a short one."""

    __slots__ = ()


def variable(data: Any, level: int, kind: type[Value] = Value) -> Value:
    """An input of a transform: a leaf of that level, around a number that may be a Value of an outer level.

    >>> variable(Value(3.0), level=7)
    Value(data=Value(data=3.0, grad=0.0), grad=0.0)
    """
    value = _new(kind)
    value.data, value.tangent, value.grad, value.level, value.rule = data, ZERO, ZERO, level, _leaf
    value.x = value.y = value.dx = value.dy = None
    return value


def bottom(x: Any) -> Any:
    """The number inside a Value of Values; any other number as it is.

    >>> bottom(variable(Value(3.0), level=7)), bottom(2.0)
    (3.0, 2.0)
    """
    while isinstance(x, Value):
        x = x.data
    return x


def _restore(data: float, grad: float, label: str) -> Value:
    value = Value(data, label=label)
    value.grad = grad
    return value


def _operate(rule: Rule, operands: tuple[Any, ...]) -> Value:
    """A new Value: the rule at these operands, recorded at the deepest level among them; all others are constants.

    This is how every operation is made. `_of_one` and `_binary` do the same, unrolled for the common cases.
    """
    top: Any = None
    for x in operands:
        if isinstance(x, Value) and (top is None or x.level > top.level):
            top = x
    level = top.level
    for x in operands:
        if hasattr(x, "meet"):  # a number that is particular about the Values that may hold it
            x.meet(top)
    operands = tuple([number(x, rule.name) for x in operands])
    numbers = [x.data if isinstance(x, Value) and x.level == level else x for x in operands]
    try:
        data, *partials = rule.partials(*numbers)
    except (ValueError, ArithmeticError) as error:
        raise _explained(error, rule, operands) from None
    value = variable(data, level, type(top))
    for i, x in enumerate(operands):
        if numbers[i] is x:  # a constant
            partials[i] = None
        elif x.tangent is not ZERO:
            share = chained(x.tangent, partials[i])
            value.tangent = share if value.tangent is ZERO else value.tangent + share
    if type(top) is Dual:
        return value
    value.rule = rule
    if len(operands) == 1:
        value.x, value.dx = operands[0], partials[0]
    elif len(operands) == 2:
        (value.x, value.y), (value.dx, value.dy) = operands, partials
    else:
        value.x, value.y = operands, tuple(partials)
    return value


def _explained(error: Exception, rule: Rule, operands: tuple[Any, ...]) -> Exception:
    numbers = [x.data if isinstance(x, Value) else x for x in operands]
    if any(isinstance(number, Value) for number in numbers):
        return error  # it comes from an outer level, which has explained it
    names = [x.label if isinstance(x, Value) and x.label else repr(n) for x, n in zip(operands, numbers, strict=True)]
    where = ", ".join(f"{name} = {n!r}" for name, n in zip(names, numbers, strict=True) if name != repr(n))
    return type(error)(f"{rule.text(names)}{where and ' at '}{where}: {error}")


def _of_one(rule: Rule, x: Value, left: Any, right: Any, *numbers: Any) -> Value:
    """As `_operate`: the Value of an operation of one operand `x`, or of `x` and a constant, in whichever order."""
    value = _new(Value)
    try:
        value.data, *slopes = rule.partials(*numbers)
    except (ValueError, ArithmeticError) as error:
        raise _explained(error, rule, (left,) if right is None else (left, right)) from None
    value.grad, value.level, value.rule, value.x, value.y = ZERO, x.level, rule, left, right
    value.dx, value.dy = (slopes[0], None) if left is x else (None, slopes[1])
    value.tangent = ZERO if x.tangent is ZERO else chained(x.tangent, value.dx if left is x else value.dy)
    return value


def _unary(rule: Rule) -> Callable[[Any], Any]:
    """The method `x.operation()`."""

    def method(x: Any) -> Any:
        return _of_one(rule, x, x, None, x.data) if type(x) is Value else _operate(rule, (x,))

    method.__name__, method.__doc__ = rule.name, str(FUNCTIONS[rule.name].__doc__).partition("\n")[0]
    return method


def _binary(rule: Rule) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods `x.__operation__(y)` and `y.__roperation__(x)`."""
    partials = rule.partials

    def method(x: Any, y: Any) -> Any:
        if type(y) is Value and y.level == x.level:
            value = _new(Value)  # as `_operate`, but flat: this is where an ordinary program spends its time
            try:
                value.data, value.dx, value.dy = partials(x.data, y.data)
            except (ValueError, ArithmeticError) as error:
                raise _explained(error, rule, (x, y)) from None
            value.grad = ZERO
            value.level = x.level
            value.rule = rule
            value.x = x
            value.y = y
            if x.tangent is ZERO and y.tangent is ZERO:
                value.tangent = ZERO
            else:
                value.tangent = chained(x.tangent, value.dx) + chained(y.tangent, value.dy)
            return value
        if type(y) is int:
            y = real(y, rule.name)
        if type(y) is float and type(x) is Value:
            return _of_one(rule, x, x, y, x.data, y)
        return _operate(rule, (x, y)) if _is_number(y, rule, (x, y)) else NotImplemented

    def reflected(y: Any, x: Any) -> Any:
        if type(x) is int:
            x = real(x, rule.name)
        if type(x) is float and type(y) is Value:
            return _of_one(rule, y, x, y, x, y.data)
        return _operate(rule, (x, y)) if _is_number(x, rule, (x, y)) else NotImplemented

    return method, reflected


def _is_number(x: Any, rule: Rule, operands: tuple[Any, Any]) -> bool:
    """Whether `x` can be an operand; False if not, but it may know what to do with a Value, as an array does."""
    if hasattr(x, "operate") or is_real(x):
        return True
    if hasattr(x, "__radd__") and not isinstance(x, complex):
        return False
    raise TypeError(f"{rule.text([repr(operand) for operand in operands])}: {type(x).__name__} is not a real number")


for _name, _rule in RULES.items():
    if _rule.sequences:
        continue  # an operation over sequences is no method
    _operation: Any = FUNCTIONS[_name] if "{y}" in _rule.template else _unary(_rule)
    if _name in ("add", "sub", "mul", "truediv", "mod", "pow"):
        _operation, _reflected = _binary(_rule)
        setattr(Value, f"__{_name}__", _operation)
        setattr(Value, f"__r{_name}__", _reflected)
    elif _name in ("neg", "abs", "floor", "ceil"):
        setattr(Value, f"__{_name}__", _operation)
    setattr(Value, _name, _operation)
    if _rule.numpy:
        setattr(Value, _rule.numpy, _operation)
