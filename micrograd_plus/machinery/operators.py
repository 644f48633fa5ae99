"""What `x + y`, `x < y` and `float(x)` mean for numbers that do their own operations, and what failures say."""

from __future__ import annotations

import _operator as operator  # its functions alone: the module would take longer to import
from math import copysign

from ..functions import deepest, is_real
from ..rules import FUNCTIONS, NOTHING, RULES
from .digits import bottom
from .more import MORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, Self

    from .operations import Rule
    from .signatures import Operators
else:
    Operators = object


def _refused(what: str, instead: str) -> Any:
    """A method for what would lose the gradient, or has none: it says what to write."""

    def method(self: Any, *_: Any) -> NoReturn:
        name = getattr(self, "label", "") or "v"
        lost, write = what.replace("(v)", f"({name})"), instead.replace("(v)", f"({name})")
        raise TypeError(f"{self!r}: {lost} would lose the gradient: write {write}, or {name}.data for the number alone")

    return method


class Number(Operators):
    """A number of a kind of its own: every operator and method comes from the rules, and is left to `operate`.

    A kind says what `operate` and `compare` do, and has a `level`: of several numbers in one operation the deepest
    answers, and the others are constants to it.
    """

    __slots__ = ()

    level: int
    data: Any
    transient = False  # whether it stands for its `data` when the transform that it belongs to is over

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, of which `self` is the deepest."""
        raise NotImplementedError

    def compare(self, holds: Callable[[Any, Any], Any], other: Any) -> Any:
        """Whether a comparison, as `operator.lt` is, holds for this number and `other`, which is no deeper."""
        raise NotImplementedError

    def __pos__(self) -> Self:
        return self

    def conjugate(self) -> Self:
        """Itself, as it is real: NumPy's var, std and vdot ask for it."""
        return self

    def __float__(self) -> None:  # not NoReturn, with which type checkers would let math.sin(v) pass
        name = getattr(self, "label", "") or "v"
        raise TypeError(
            f"{self!r} cannot become a float without losing its gradient: "
            f"write {name}.data for the number alone, "
            f"and take functions from this library, as mg.sin({name}) instead of math.sin({name})"
        )

    __int__ = __complex__ = __float__

    def bottom(self) -> Any:
        """The number inside, where `data` may hold another number of this kind; itself, if it has none."""
        return bottom(self.data) if self.transient else self

    __round__ = _refused("round(v)", "mg.rint(v)")
    __trunc__ = _refused("math.trunc(v)", "mg.trunc(v)")
    __floordiv__ = __rfloordiv__ = _refused("//", "mg.floor(v / w)")
    __divmod__ = __rdivmod__ = _refused("divmod", "mg.floor(v / w) and v % w")

    __hash__ = object.__hash__  # by identity, while a comparison looks at the numbers


# From the rules -------------------------------------------------------------------------------------------------------


def _unary(rule: Rule) -> Callable[[Any], Any]:
    """The method `x.operation()`."""

    def method(x: Any) -> Any:
        return x.operate(rule.name, (x,))

    method.__name__, method.__doc__ = rule.name, str(FUNCTIONS[rule.name].__doc__).partition("\n")[0]
    return method


def _binary(rule: Rule) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods `x.__operation__(y)` and `y.__roperation__(x)`."""

    def method(x: Any, y: Any, modulus: Any = None) -> Any:
        if modulus is not None:
            raise TypeError("pow(v, w, modulus) is for whole numbers: write v ** w % modulus, or v.data")
        return deepest((x, y)).operate(rule.name, (x, y)) if is_operand(y, rule, (x, y)) else NotImplemented

    def reflected(y: Any, x: Any) -> Any:
        return deepest((x, y)).operate(rule.name, (x, y)) if is_operand(x, rule, (x, y)) else NotImplemented

    return method, reflected


def is_operand(x: Any, rule: Rule, operands: tuple[Any, Any]) -> bool:
    """Whether `x` can be an operand; False if not, but it may know what to do with a Value, as an array does.

    TypeError if it is neither.
    """
    if hasattr(x, "operate") or is_real(x):
        return True
    if hasattr(x, "__radd__") and not isinstance(x, complex):
        return False
    raise TypeError(f"{rule.text([repr(operand) for operand in operands])}: {type(x).__name__} is not a real number")


def _comparison(holds: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(x: Any, y: Any) -> Any:
        return NotImplemented if getattr(y, "level", x.level) > x.level else x.compare(holds, y)  # then y is asked

    return method


for _rule in RULES.values():
    if _rule.sequences:
        continue  # an operation over sequences is no method
    _operation: Any = FUNCTIONS[_rule.name] if "{y}" in _rule.template else _unary(_rule)
    if _rule.name in ("add", "sub", "mul", "truediv", "mod", "pow"):
        _operation, _reflected = _binary(_rule)
        setattr(Number, f"__{_rule.name}__", _operation)
        setattr(Number, f"__r{_rule.name}__", _reflected)
    elif _rule.name in ("neg", "abs", "floor", "ceil"):
        setattr(Number, f"__{_rule.name}__", _operation)
    setattr(Number, _rule.name, _operation)
    if _rule.numpy:
        setattr(Number, _rule.numpy, _operation)
NUMPY = {name: name for name in ("exp2", "fabs", "fmod", "rint")} | {"deg2rad": "radians", "rad2deg": "degrees"}
NUMPY |= {"degrees": "degrees", "radians": "radians"}
for _name, _of in NUMPY.items():
    setattr(Number, _name, MORE[_of])
for _holds in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
    setattr(Number, f"__{_holds.__name__}__", _comparison(_holds))


def arrived(share: Any, node: Any) -> Any:
    """A share of the gradient as it adds up in a Value; in an input, summed over a batch that was made after it."""
    batch = bottom(share)
    if node.left is None and hasattr(type(batch), "total") and batch.opened > node.level:
        return batch.total(share)
    return share


def sound(leaf: Any) -> bool:
    """True; TypeError if the data of `leaf`, a Value that was not computed, is no float: `p.data = p - lr * p.grad`."""
    data, name = leaf.data, leaf.label or "p"
    if isinstance(data, float | int) or leaf.level or (hasattr(data, "operate") and not isinstance(data, type(leaf))):
        return True  # a number of another kind is what a program is recorded with
    hint = f"{name}.data - lr * {name}.grad" if hasattr(data, "operate") else "float(...)"
    raise TypeError(f"{name}.data is {data!r} ({type(data).__name__}), and no float: write {name}.data = {hint}")


def constant(x: Any) -> Any:
    """A constant operand as a rule gets it: a 0 is NOTHING, since as a slope it cuts on purpose, as a mask does.

    >>> constant(0.0) is NOTHING, constant(2.0)
    (True, 2.0)
    """
    if type(x) is float:
        return NOTHING if x == 0.0 and copysign(1.0, x) > 0.0 else x
    if getattr(x, "left", x) is None:
        sound(x)  # a Value of an outer level
    return x


def explained(error: Exception, rule: Rule, operands: list[tuple[str, Any]]) -> Exception:
    """The error of an operation, with what it was asked to do: `operands` are their labels and numbers."""
    if any(hasattr(number, "operate") for _, number in operands):
        return error  # it comes from an outer level, which has explained it
    names = [label or repr(number) for label, number in operands]
    where = ", ".join(f"{label} = {number!r}" for label, number in operands if label)
    return type(error)(f"{rule.text(names)}{where and ' at '}{where}: {error}")
