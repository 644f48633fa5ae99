"""Symbols: numbers that are not known yet, for a program that is to be written down.

A symbol stands for any number, as x does in algebra. What is done to it makes further symbols, each of which remembers
its operation and its operands: run a function on symbols, and what comes back is the whole computation. Values may hold
symbols as they hold floats, so gradients of any order become symbols as well, and nothing in here knows of them, but
for one thing: a product that the chain rule makes is an ordinary product, if the trace is not a careful one. Only where
0 meets infinity these differ (`times` says 0, and × says nan); then the careful program is the right one.

Equal symbols are made once. Trivial operations are not made at all: x * 1.0 is x.
"""

from __future__ import annotations

import sys

from .functions import is_real, number, where
from .rules import FUNCTIONS, RULES, Rule
from .value import operate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .functions import Function


class Foreign(BaseException):  # not to be caught by what is being recorded
    """There is to be no program, the function is to be run as it is: for a number of another trace, for example."""


class Trace:
    """The symbols of one program, by what they are.

    `exact` keeps squares and operations over sequences as they are; otherwise they are made of others, which may change
    the last bits. `careful` keeps the chain rule's 0 · ∞ = 0. If it does not, `plain` tells that a result may be nan
    for want of that, `compared` that a comparison may be wrong for want of it, which no result would show.
    """

    def __init__(self, *, exact: bool = True, careful: bool = False) -> None:
        self.exact, self.careful, self.plain, self.compared = exact, careful, False, False
        self.running = True  # until the function has returned
        self.refused: TypeError | None = None  # raised in it, which it may have caught
        self.symbols: dict[Any, Symbol] = {}

    def input(self, name: str) -> Symbol:
        """The symbol of an argument."""
        return self.symbol("", (name,))

    def symbol(self, operation: str, operands: tuple[Any, ...], by_chain: bool = False) -> Symbol:
        """The symbol of that operation on these operands, symbols and floats."""
        key: list[Any] = [operation]
        for x in operands:
            if type(x) is not Symbol:
                key.append(repr(x))  # tells 0.0 from -0.0
            else:
                self.check(x)
                key.append(x.index)
                by_chain = by_chain or x.by_chain
        found = self.symbols.get(place := tuple(key))
        if found is None:
            found = self.symbols[place] = Symbol(self, operation, operands, by_chain)
        return found

    def check(self, x: Symbol) -> None:
        """Foreign if `x` is of a trace around this one, TypeError if it is of one that is done."""
        if x.trace is not self:
            if x.trace.running:
                raise Foreign(f"{x!r} is of a program around it")
            raise TypeError(f"{x!r}, of a program that is done: it was kept from an earlier call")


class Symbol:
    """A number that is not known yet, or a condition: the operation that makes it, and its operands.

    The operation is the name of a rule, a comparison, "and", "or", "where", "item" (of the operation over a sequence
    that is its first operand), or the empty string for an argument. `by_chain` says whether the chain rule made it, or
    something of which it is made.
    """

    level = -1  # to a Value, of any level, a symbol is a plain number
    __slots__ = ("by_chain", "index", "label", "operands", "operation", "text", "trace", "uses")

    def __init__(self, trace: Trace, operation: str, operands: tuple[Any, ...], by_chain: bool) -> None:
        self.trace, self.operation, self.operands, self.by_chain = trace, operation, operands, by_chain
        self.index, self.label = len(trace.symbols), ""
        self.uses, self.text = 0, ("", 0, False)  # for printing.py

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, one of which is a symbol."""
        if len(operands) > 1:
            if any(getattr(x, "transient", False) for x in operands):
                return operate(RULES[name], tuple([number(x, name) for x in operands]))
            operands = tuple([number(x, name) for x in operands])
        return (_over_sequence if RULES[name].sequences else SIMPLER.get(name, _symbol))(name, operands)

    def where(self, x: Any, y: Any, by_chain: bool = False) -> Any:
        """`x` where this condition holds, else `y`."""
        if getattr(x, "transient", False) or getattr(y, "transient", False):
            return operate(Rule("where", "where", self._chosen), (number(x, "where"), number(y, "where")))
        x, y = number(x, "where"), number(y, "where")
        if x is y or (type(x) is type(y) is float and repr(x) == repr(y)):
            return x
        if type(x) is Symbol and x.operation == "where" and type(y) is float and repr(y) == repr(x.operands[2]):
            both = self & x.operands[0]  # one choice for two: else they grow in each other
            return both.where(x.operands[1], y, by_chain or x.by_chain)
        if type(y) is Symbol and y.operation == "where" and type(x) is float and repr(x) == repr(y.operands[1]):
            either = self | y.operands[0]
            return either.where(x, y.operands[2], by_chain or y.by_chain)
        return self.trace.symbol("where", (self, x, y), by_chain)

    def _chosen(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return self.where(x, y), self.where(1.0, 0.0, by_chain=True), self.where(0.0, 1.0, by_chain=True)

    def __pos__(self) -> Any:
        return self

    def __hash__(self) -> int:
        if self.trace.running:  # a set or a dict would not find the number
            self._unknown()
        return object.__hash__(self)

    def __and__(self, other: Any) -> Any:
        return self.trace.symbol("and", (self, other)) if isinstance(other, Symbol) else self if other else False

    def __or__(self, other: Any) -> Any:
        return self.trace.symbol("or", (self, other)) if isinstance(other, Symbol) else True if other else self

    def __xor__(self, other: Any) -> Any:
        return self.trace.symbol("!=", (self, other if isinstance(other, Symbol) else bool(other)))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __repr__(self) -> str:
        return f"<a number that is not known yet: {self.label or self.operation or self.operands[0]}>"

    def _unknown(self, *_: Any) -> Any:
        frame: Any = sys._getframe(1)
        while frame and f"{frame.f_globals.get('__name__', '')}.".startswith(f"{__package__}."):
            frame = frame.f_back
        line = f"{frame.f_code.co_filename}, line {frame.f_lineno}: " if frame else ""
        self.trace.refused = TypeError(
            f"{line}this number is not known while its program is made: write where(condition, x, y) in place of a "
            "branch, a & b in place of `a and b`, mg.sin(x) in place of math.sin(x), or put jit around less"
        )
        raise self.trace.refused

    def __format__(self, spec: str) -> str:
        return str(self._unknown() if spec else self)

    __bool__ = __float__ = __int__ = __complex__ = __index__ = __round__ = __trunc__ = _unknown
    __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _unknown
    data = grad = tangent = backward = property(_unknown)

    if TYPE_CHECKING:  # a type checker cannot see that these are made below, from the rules

        def __getattr__(self, name: str) -> Any: ...


# Simpler --------------------------------------------------------------------------------------------------------------

# Each takes the name of the operation and its operands, and returns something that is equal, to the last bit.


def _symbol(name: str, operands: tuple[Any, ...], by_chain: bool = False) -> Symbol:
    return _trace(operands).symbol(name, operands, by_chain)


def _trace(operands: tuple[Any, ...]) -> Trace:
    for x in operands:
        if type(x) is Symbol:
            return x.trace
    raise AssertionError(f"no symbol among {operands!r}")


def _is_number(x: Any) -> bool:
    """Whether `x` is no condition: True * 1.0 is 1.0."""
    return type(x) is float or x.operation not in CONDITIONS


def _add(name: str, operands: tuple[Any, ...]) -> Any:
    x, y = operands
    if type(y) is Symbol and y.operation == "neg":
        return x - y.operands[0]
    if type(x) is type(y) is Symbol and x.operation == y.operation == "where":
        (condition, a, b), (other, c, d) = x.operands, y.operands
        # Not if all sides are symbols: of two long chains of choices, every choice would be merged.
        if condition is other and float in map(type, (a, b, c, d)):
            return condition.where(a + c, b + d, x.by_chain or y.by_chain)
        if type(b) is type(d) is float and b == d == 0.0 and x.by_chain and y.by_chain:
            total = x.trace.symbol(name, operands)
            return (condition | other).where(total, 0.0, True)  # a sum of nothing is nothing, also in front of ∞
    for zero, other in (operands, operands[::-1]):
        # That -0.0 + 0.0 is 0.0 matters to the rule of sqrt, and may to a function, but not in a sum of gradients.
        if type(zero) is float and zero == 0.0 and other.by_chain and other.operation != "sqrt":
            return other
    return _symbol(name, operands)


def _sub(name: str, operands: tuple[Any, ...]) -> Any:
    x, y = operands
    return x if type(y) is float and repr(y) == "0.0" and _is_number(x) else _symbol(name, operands)


def _mul(name: str, operands: tuple[Any, ...], by_chain: bool = False) -> Any:
    for factor, other in (operands, operands[::-1]):
        if type(factor) is float and factor in (1.0, -1.0) and _is_number(other):
            return other if factor > 0.0 else _neg("neg", (other,), by_chain)
    return _symbol(name, operands, by_chain)


def _truediv(name: str, operands: tuple[Any, ...]) -> Any:
    x, y = operands
    return x if type(y) is float and y == 1.0 and _is_number(x) else _symbol(name, operands)


def _pow(name: str, operands: tuple[Any, ...]) -> Any:
    x, y = operands
    if type(y) is float and y in (0.0, 1.0) and _is_number(x):
        return x if y else 1.0
    if type(y) is float and y in (2.0, 3.0) and not x.trace.exact:
        return x * x if y == 2.0 else x * x * x  # perhaps another last bit, but far sooner
    return _symbol(name, operands)


def _neg(name: str, operands: tuple[Any, ...], by_chain: bool = False) -> Any:
    (x,) = operands
    return x.operands[0] if x.operation == "neg" else _symbol(name, operands, by_chain)


def _chained(name: str, operands: tuple[Any, ...]) -> Any:
    for factor, other in (operands, operands[::-1]):
        if type(factor) is Symbol and factor.operation == "where":
            condition, a, b = factor.operands
            if (type(a) is float and a == 0.0) or (type(b) is float and b == 0.0):
                times = FUNCTIONS["times"]  # of the other side nothing is to arrive, not even 0 · ∞
                return condition.where(times(a, other), times(b, other), True)
    trace = _trace(operands)
    if trace.careful:
        return trace.symbol(name, operands, True)
    trace.plain = True
    return _mul("mul", operands, True)


CONDITIONS = {"<", "<=", ">", ">=", "==", "!=", "and", "or"}
SIMPLER: dict[str, Function] = {"add": _add, "sub": _sub, "mul": _mul, "truediv": _truediv, "pow": _pow, "neg": _neg}
SIMPLER["times"] = _chained

# Over sequences -------------------------------------------------------------------------------------------------------


def _over_sequence(name: str, operands: tuple[Any, ...]) -> Any:
    """An operation over sequences: in an exact trace as it is, else as it is made of others."""
    trace, rule = _trace(operands), RULES[name]
    if not trace.exact:
        if name in EXPANDED:
            return EXPANDED[name](*operands)
        if f"{name}(" in rule.template:
            raise NotImplementedError(f"{name}: symbols.py does not say how it is made of other operations")
        names = [f"x{i}" for i in range(len(operands))]
        return eval(rule.program(names), FUNCTIONS | dict(zip(names, operands, strict=True)))
    if not rule.template.endswith("[0]"):
        return trace.symbol(name, operands)
    # Of several results each was asked for with its own operand in front. They are the same whatever the order.
    in_order = _in_order(operands)
    place = next(i for i, x in enumerate(in_order) if x is operands[0])
    return trace.symbol("item", (trace.symbol(name, tuple(in_order)), place))


def _in_order(operands: tuple[Any, ...]) -> list[Any]:
    return sorted(operands, key=lambda x: (x.index, 0.0) if type(x) is Symbol else (-1, x))


def _sum(*x: Any) -> Any:
    total, *rest = x
    for y in rest:
        total = total + y
    return total


def _dot(*x: Any) -> Any:
    return _sum(*[a * b for a, b in zip(x[: len(x) // 2], x[len(x) // 2 :], strict=True)])


def _weights(x: tuple[Any, ...]) -> tuple[Any, Any]:
    """The largest of `x`, and the sum of e**(z - largest) for all other z of `x`."""
    in_order = _in_order(x)  # the same for all results of a softmax, which so share these symbols
    top, *others = in_order
    for z in others:
        top = FUNCTIONS["maximum"](top, z)
    rest = [where(z < top, FUNCTIONS["exp"](z - top), 0.0) for z in in_order]
    ties = [where(z < top, 0.0, 1.0) for z in in_order]
    return top, _sum(*rest) + (_sum(*ties) - 1.0)


def _logsumexp(*x: Any) -> Any:
    top, rest = _weights(x)
    return top + FUNCTIONS["log1p"](rest)


def _softmax(*x: Any) -> Any:
    top, rest = _weights(x)
    return where(x[0] < top, FUNCTIONS["exp"](x[0] - top), 1.0) / (1.0 + rest)


def _log_softmax(*x: Any) -> Any:
    top, rest = _weights(x)
    return where(x[0] < top, x[0] - top, 0.0) - FUNCTIONS["log1p"](rest)


EXPANDED: dict[str, Function] = {"sum": _sum, "dot": _dot, "logsumexp": _logsumexp, "softmax": _softmax}
EXPANDED["log_softmax"] = _log_softmax

# Operators and methods ------------------------------------------------------------------------------------------------


def _methods(name: str) -> Any:
    simpler: Function = SIMPLER.get(name, _symbol)

    def method(x: Any, y: Any) -> Any:
        if type(y) is Symbol or type(y) is float:
            return simpler(name, (x, y))
        return x.operate(name, (x, y)) if hasattr(y, "operate") or is_real(y) else NotImplemented

    def reflected(y: Any, x: Any) -> Any:
        return y.operate(name, (x, y)) if is_real(x) else NotImplemented

    return method, reflected


def _comparison(sign: str) -> Any:
    def method(x: Any, y: Any) -> Any:
        if getattr(y, "transient", False) or not (is_real(y) or isinstance(y, Symbol)):
            return NotImplemented
        condition = x.trace.symbol(sign, (x, number(y, sign)))
        x.trace.compared |= condition.by_chain
        return condition

    return method


for _name, _sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    setattr(Symbol, f"__{_name}__", _comparison(_sign))
for _name, _rule in RULES.items():
    if not _rule.sequences:
        if _name in ("add", "sub", "mul", "truediv", "mod", "pow"):
            _method, _reflected = _methods(_name)
            setattr(Symbol, f"__{_name}__", _method)
            setattr(Symbol, f"__r{_name}__", _reflected)
        elif _name in ("neg", "abs", "floor", "ceil"):
            setattr(Symbol, f"__{_name}__", FUNCTIONS[_name])
        setattr(Symbol, _name, FUNCTIONS[_name])
        if _rule.numpy:
            setattr(Symbol, _rule.numpy, FUNCTIONS[_name])
