"""A trace: what a function does to its numbers, as a list of single assignments, each a number or a condition.

A symbol stands for a number that is not known yet, as x does in algebra. What is done to it makes further symbols, each
with its operation and its operands: call a function with symbols, and what comes back is the whole computation. Values
hold symbols as they hold floats, so derivatives of any order become symbols as well; nothing in here knows of them.
Equal symbols are made once, x * y and y * x too, and trivial arithmetic is not made at all: x * 1.0 is x. A printer
turns the list into a text for one target, from a table with a text for each operation (text.py).

>>> trace = Trace(exact=False)
>>> x, y = trace.input("x"), trace.input("y")
>>> value, *partials = RULES["truediv"].partials(x, y)   # any function would do, a rule or grad(f)
>>> chosen = (x > y).where(value, 0.0)
>>> for symbol in needed([chosen, *partials]):           # each stands after its operands
...     print(symbol.index, symbol.label or symbol.operation, [getattr(x, "index", x) for x in symbol.operands])
0 x []
1 y []
2 truediv [0, 1]
3 reciprocal [1]
4 neg [2]
5 truediv [4, 1]
6 > [0, 1]
7 where [6, 2, 0.0]

The operations are "" for an input (its name is its label), "where" (condition, number, number), the names of rules, and
those that give a condition: < <= > >= == != over numbers, and, or, not over conditions. A rule that is made of other
operations comes as these. In an exact trace, operations over sequences come as they are, and "item" takes out one of
several results, by its number; in others they come as additions, exponentials and the like, and small powers as
products, which may change the last bits. `times` is the product of the chain rule, in which 0 wins over infinity.
"""

from __future__ import annotations

import _operator as operator  # as in machinery/operators.py
import builtins
import sys

from ..batch import choose
from ..functions import is_real, number
from ..machinery.digits import times
from ..machinery.formulas import OF_OTHERS, in_order, made_of
from ..machinery.operators import Number
from ..rules import RULES
from ..transforms import levels
from ..value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from ..functions import Function

COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
CONDITIONS = {*COMPARISONS.values(), "and", "or", "not"}
FOREIGN = "is of another program: it was kept from another call"
PARTIAL = {"sqrt", "log", "log2", "log10", "log1p", "truediv", "mod", "pow", "asin", "acos", "acosh", "atanh"}
PARTIAL |= {"gamma", "lgamma", "polygamma"}  # operations that raise for some numbers
COMMUTATIVE = {"add", "mul", "times", "and", "or", "==", "!="}


class Trace:
    """The symbols of one program, in the order in which they were made. How `exact` it is: see above.

    >>> trace = Trace()
    >>> x = trace.input("x")
    >>> (1.0 * x + 2.0).sin() - (2.0 + x).sin()
    <a number that is not known yet: sub>
    >>> [symbol.operation for symbol in trace.lines]
    ['', 'add', 'sin', 'sub']
    """

    def __init__(self, *, exact: bool = True) -> None:
        self.exact, self.level = exact, next(levels)
        self.lines: list[Symbol] = []
        self.running = True  # until the function has returned
        self.refused: TypeError | None = None  # raised in it, which it may have caught
        self._known: dict[Any, Symbol] = {}

    def input(self, name: str) -> Symbol:
        """The symbol of a number that is given to the program."""
        self.lines.append(Symbol(self, "", ()))
        self.lines[-1].label = name
        return self.lines[-1]

    def assign(self, operation: str, operands: tuple[Any, ...], *, by_chain: bool = False) -> Any:
        """The symbol of that operation on these operands, symbols of this trace and floats."""
        # Of a zero its text tells 0.0 from -0.0, and the tuple a number from an index.
        key = operation, *[(x or repr(x),) if type(x) is float else getattr(x, "index", x) for x in operands]
        found = self._known.get(key)
        if found is None and operation in COMMUTATIVE:
            found = self._known.get((operation, key[2], key[1]))
        if found is None:
            if not self.running:
                self.refuse(f"{operands!r} {FOREIGN}")
            by_chain = by_chain or any(isinstance(x, Symbol) and x.by_chain for x in operands)
            if operation in PARTIAL and not by_chain:
                self.unguarded(operation)
            kind = Condition if operation in CONDITIONS else Symbol
            found = self._known[key] = kind(self, operation, operands)
            found.by_chain = by_chain
            self.lines.append(found)
        return found

    def number(self, x: Any, name: str) -> Any:
        """`x` as a number of this trace, a symbol or a float: a condition is 1.0 or 0.0.

        TypeError if it is none, or a Value: of a transform inside, it would not have come here.
        """
        if type(x) is float or (type(x) is Symbol and x.trace is self):
            return x
        if type(x) is Condition and x.trace is self:
            return self.assign("where", (x, 1.0, 0.0))
        if isinstance(x, Value):
            self.refuse(
                f"{x!r} would become a constant of the program, and its gradient would be lost: "
                "pass it in as an argument (those of a model by model.bind(parameters)), or take its .data"
            )
        x = number(x, name)
        if isinstance(x, Symbol):
            self.refuse(f"{x!r} {FOREIGN}")
        return x

    def close(self) -> None:
        """The function has returned, and what was made is known."""
        self.running = False
        self._known.clear()

    def unguarded(self, operation: str) -> None:
        """TypeError if the function would catch what the operation may raise: its program would not go that way."""
        frame: Any = sys._getframe(1)
        guarded = False
        while frame and frame.f_code.co_name != "record":
            guarded = guarded or bool(frame.f_code.co_exceptiontable and not _is_ours(frame) and _catches(frame))
            frame = frame.f_back
        if guarded and frame:
            self.refuse(f"{operation} may raise, and the function catches that: write where(condition, x, y) instead")

    def refuse(self, message: str) -> NoReturn:
        """Raise a TypeError that names the line; if the function catches it, the trace still knows it was `refused`."""
        frame: Any = sys._getframe(1)
        while frame and _is_ours(frame):
            frame = frame.f_back
        line = f"{frame.f_code.co_filename}, line {frame.f_lineno}: " if frame else ""
        error = TypeError(f"jit: {line}{message}")
        self.refused = self.refused or error
        raise error


def _is_ours(frame: Any) -> bool:
    """Whether a frame is of this package, or of a text that it compiled."""
    package = __name__.partition(".")[0]
    return f"{frame.f_globals.get('__name__', package)}.".startswith(f"{package}.")


def _catches(frame: Any) -> bool:
    """Whether the function of a frame is in a `try` that catches errors of arithmetic."""
    import dis

    code, names = frame.f_code, {**vars(builtins), **frame.f_globals, **frame.f_locals}
    for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined]
        if entry.start <= frame.f_lasti < entry.end:
            known = []
            for line in dis.get_instructions(code):
                if line.offset >= entry.target:
                    known.append(names.get(line.argval, Exception) if line.opname.startswith("LOAD_") else None)
                    ends = line.offset == entry.target and line.opname == "COPY"
                    if ends or line.opname in ("WITH_EXCEPT_START", "RERAISE"):
                        break  # the end of an `except`, a `with`, or a `finally`
                    if line.opname == "POP_EXCEPT":
                        return True
                    if line.opname == "CHECK_EXC_MATCH":
                        kinds = [kind for kind in known if isinstance(kind, type)]
                        return any(issubclass(error, (*kinds,)) for error in (ValueError, ZeroDivisionError))
    return False


def needed(outputs: Sequence[Any]) -> list[Symbol]:
    """The symbols that the outputs depend on, each after its operands; an output that is a float depends on none."""
    roots = [y for y in outputs if isinstance(y, Symbol)]
    lines = roots[0].trace.lines if roots else []
    marks = bytearray(lines[-1].index + 1 if lines else 0)
    for y in roots:
        marks[y.index] = 1
    for symbol in reversed(lines):
        if marks[symbol.index]:
            for x in symbol.operands:
                if isinstance(x, Symbol):
                    marks[x.index] = 1
    return [symbol for symbol in lines if marks[symbol.index]]


class Symbol(Number):
    """A number that is not known yet: the operation that makes it, its operands, and its `index` in the trace.

    `by_chain` says whether the chain rule made it, or something of which it is made.
    """

    __slots__ = ("by_chain", "index", "label", "operands", "operation", "trace")

    def __init__(self, trace: Trace, operation: str, operands: tuple[Any, ...]) -> None:
        self.trace, self.operation, self.operands = trace, operation, operands
        self.index, self.label, self.by_chain = len(trace.lines), "", False

    @property
    def level(self) -> int:  # type: ignore[override]
        return self.trace.level

    def operate(self, name: str, operands: tuple[Any, ...]) -> Any:
        """The operation of that name on these operands, of which this symbol is the deepest."""
        trace, rule = self.trace, RULES[name]
        operands = tuple([trace.number(x, name) for x in operands])
        if name in SIMPLER:
            return SIMPLER[name](trace, *operands)
        if f"{name}(" not in rule.template or (not trace.exact and (rule.sequences or name in OF_OTHERS)):
            return made_of(name)(*operands)
        if not rule.template.endswith("[0]"):
            return trace.assign(name, operands)
        # Of several results each was asked for with its own operand in front. They are the same whatever the order.
        in_order_ = tuple(in_order(operands))
        place = next(i for i, x in enumerate(in_order_) if x is operands[0])
        return trace.assign("item", (trace.assign(name, in_order_), place))

    def compare(self, holds: Any, other: Any) -> Any:
        """A condition."""
        if type(other) is not float and not hasattr(other, "operate") and not is_real(other):
            return NotImplemented
        sign = COMPARISONS[holds.__name__]
        return self.trace.assign(sign, (self.trace.number(self, sign), self.trace.number(other, sign)))

    def where(self, x: Any, y: Any) -> Any:
        """`x` where this number is not 0, else `y`."""
        return self.compare(operator.ne, 0.0).where(x, y)

    def __hash__(self) -> int:
        if self.trace.running:  # a set or a dict would not find the number
            self._unknown()
        return object.__hash__(self)

    def __repr__(self) -> str:
        return f"<a number that is not known yet: {self.label or self.operation}>"

    def _unknown(self, *_: Any) -> Any:
        self.trace.refuse(
            "this number is not known while its program is made: write where(condition, x, y) in place of a branch, "
            "a & b in place of `a and b`, mg.sin(x) in place of math.sin(x), or put jit around less"
        )

    def __format__(self, spec: str) -> str:
        return str(self._unknown() if spec else self)

    __bool__ = __float__ = __int__ = __complex__ = __index__ = __round__ = __trunc__ = _unknown
    __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _unknown
    data = grad = tangent = backward = property(_unknown)


class Condition(Symbol):
    """A condition that is not known yet. Used as a number, it is 1.0 or 0.0."""

    __slots__ = ()

    def where(self, x: Any, y: Any) -> Any:
        """`x` where this condition holds, else `y`."""
        if x is y:
            return x
        if any(hasattr(side, "operate") and side.level > self.level for side in (x, y)):
            return choose(self, x, y)
        x, y = self.trace.number(x, "where"), self.trace.number(y, "where")
        is_step = type(y) is Symbol and (y.operation, self.operation) == ("step", "<=") and _is(x, 0.0)
        if is_step and y.operands[0] is self.operands[0] and _is(self.operands[1], 0.0):
            return y  # the slope of relu: a step is 0 there anyway
        return x if _is(x, y) else self.trace.assign("where", (self, x, y))

    def __and__(self, other: Any) -> Any:
        if self._is_known(other):
            return self if other else False
        return self.trace.assign("and", (self, other))

    def __or__(self, other: Any) -> Any:
        if self._is_known(other):
            return True if other else self
        return self.trace.assign("or", (self, other))

    def __xor__(self, other: Any) -> Any:
        if self._is_known(other):
            return ~self if other else self
        return (self & ~other) | (~self & other)

    def __invert__(self) -> Any:
        return self.trace.assign("not", (self,))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def _is_known(self, other: Any) -> bool:
        """Whether the other side of `&` is a bool; if it is no condition of this trace either, TypeError."""
        if type(other) is Condition:
            if other.trace is not self.trace:
                self.trace.refuse(f"{other!r} {FOREIGN}")
            return False
        if type(other) is bool or getattr(getattr(other, "dtype", None), "kind", "") == "b":
            return True
        raise TypeError(f"expected a condition, as x > 0.0, got {other!r}")

    def __pos__(self) -> Any:
        return self.trace.number(self, "pos")


# Trivial arithmetic ---------------------------------------------------------------------------------------------------

# Each takes the trace and the operands, and returns something that is equal, to the last bit.


def _is(x: Any, y: Any) -> bool:
    """Whether both are the same float, 0.0 and -0.0 told apart."""
    return type(x) is type(y) is float and repr(x) == repr(y)


def _add(trace: Trace, x: Any, y: Any) -> Any:
    if type(y) is Symbol and y.operation == "neg":
        return _sub(trace, x, y.operands[0])
    return trace.assign("add", (x, y))


def _sub(trace: Trace, x: Any, y: Any) -> Any:
    return x if _is(y, 0.0) else trace.assign("sub", (x, y))


def _mul(trace: Trace, x: Any, y: Any, operation: str = "mul", by_chain: bool = False) -> Any:
    factor, other = (x, y) if type(x) is float else (y, x)
    if type(factor) is float and factor in (1.0, -1.0):
        return other if factor > 0.0 else trace.assign("neg", (other,), by_chain=by_chain)
    return trace.assign(operation, (x, y), by_chain=by_chain)


def _times(trace: Trace, x: Any, y: Any) -> Any:
    for factor, other in ((x, y), (y, x)):
        if type(factor) is Symbol and factor.operation == "where":
            condition, a, b = factor.operands
            if type(a) is type(b) is float and 0.0 in (a, b):  # of the other side nothing is to arrive, not even 0 · ∞
                return condition.where(times(a, other), times(b, other))
        if type(factor) is float and factor and abs(factor) < float("inf"):
            return _mul(trace, x, y, by_chain=True)
    return trace.assign("times", (x, y), by_chain=True)


def _pow(trace: Trace, x: Any, y: Any) -> Any:
    if type(y) is float and y in (0.0, 1.0):
        return x if y else 1.0
    if type(y) is float and y in (2.0, 3.0) and not trace.exact:
        return x * x if y == 2.0 else x * x * x  # perhaps another last bit, but far sooner
    return trace.assign("pow", (x, y))


def _plain(name: str) -> Function:
    return lambda trace, *operands: trace.assign(name, operands)


SIMPLER: dict[str, Function] = {"add": _add, "sub": _sub, "mul": _mul, "times": _times, "pow": _pow}
SIMPLER |= {"truediv": _plain("truediv"), "neg": _plain("neg")}

# Operators as they are in Number, but sooner for numbers of one trace -------------------------------------------------


def _sooner(name: str) -> None:
    simpler, usual, usual_reflected = SIMPLER[name], getattr(Number, f"__{name}__"), getattr(Number, f"__r{name}__")

    def operator(x: Any, y: Any) -> Any:
        if type(x) is Symbol and (type(y) is float or (type(y) is Symbol and y.trace is x.trace)):
            return simpler(x.trace, x, y)
        return usual(x, y)

    def reflected(y: Any, x: Any) -> Any:
        return simpler(y.trace, x, y) if type(y) is Symbol and type(x) is float else usual_reflected(y, x)

    setattr(Symbol, f"__{name}__", operator)
    setattr(Symbol, f"__r{name}__", reflected)


for _name in ("add", "sub", "mul", "truediv"):
    _sooner(_name)
