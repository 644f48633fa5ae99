"""Operations: what a rule is made into. A class Rule, the texts of an operation, and the decorator `rule`."""

from __future__ import annotations

from ..functions import KERNELS, OVER_NUMBERS, over_numbers, where
from . import digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..functions import Function


class Rule:
    """An operation: its name, its template, and `partials`, from the operands' numbers to the value and the slopes.

    `notation` is how people write it, `numpy` what NumPy calls it; it takes so many `sequences` of numbers, 0 if it
    takes one number or two. What only some Values have is kept with their rule, so that the others need no room for it:
    a `label`, and the `calls` of modules of a network whose result a Value is.

    >>> RULES["dot"].sequences, RULES["sin"].sequences
    (2, 0)
    """

    __slots__ = ("calls", "label", "name", "notation", "numpy", "partials", "sequences", "template")

    def __init__(self, name: str, template: str, partials: Function, *, numpy: str = "", notation: str = "") -> None:
        self.name, self.template, self.partials = name, template, partials
        self.numpy, self.notation = numpy, notation or template
        self.sequences = template.count("[{x}]") + template.count("[{y}]")
        self.label = ""
        self.calls: tuple[Any, ...] = ()

    def marked(self, label: str, calls: tuple[Any, ...]) -> Rule:
        """The same rule, for a Value of that label that is the result of these calls, the innermost one first."""
        rule = object.__new__(Rule)
        rule.name, rule.template, rule.partials = self.name, self.template, self.partials
        rule.notation, rule.numpy, rule.sequences = self.notation, self.numpy, self.sequences
        rule.label, rule.calls = label, calls
        return rule

    def text(self, operands: list[str]) -> str:
        """The operation as people write it, with these texts as its operands.

        >>> RULES["mul"].text(["w", "-2"]), RULES["silu"].text(["x"]), RULES["dot"].text(["a", "b", "c", "d"])
        ('w * (-2)', 'silu(x)', 'dot([a, b], [c, d])')
        """
        if "(" not in self.notation:
            return _fill(self.notation, [f"({text})" if text.startswith("-") else text for text in operands])
        if f"{self.name}(" not in self.notation:  # a formula of other operations
            return f"{self.name}({', '.join(operands)})"
        return self.program(operands)

    def symbol(self) -> str:
        """The operation's sign, or its name if it has none.

        >>> RULES["mul"].symbol(), RULES["pow"].symbol(), RULES["sin"].symbol()
        ('*', '**', 'sin')
        """
        return self.name if "(" in self.notation else _fill(self.notation, ["", ""]).strip()

    def program(self, operands: list[str]) -> str:
        """The operation as a program computes it, in the syntax that Python and JavaScript share.

        >>> RULES["silu"].program(["x"])
        'x * sigmoid(x)'
        """
        if self.sequences:
            n = len(operands) // self.sequences  # all operands, or half of them and half
            operands = [", ".join(operands[:n]), ", ".join(operands[n:])]
        return _fill(self.template, operands)


def _fill(template: str, operands: list[str]) -> str:
    return template.format(x=operands[0], y=operands[-1]) if operands else template


RULES: dict[str, Rule] = {}
FUNCTIONS: dict[str, Function] = {"where": where, "mean": digits.mean}  # what `import micrograd_plus as mg` offers


def rule(template: str, doc: str, numpy: str = "", notation: str = "") -> Callable[[Function], Function]:
    """Register the decorated function as the rule of the operation of its name; return that operation's function.

    `doc` is a sentence and an example, "The sine of x radians: sin(0.0) is 0.0", of which the function's docstring and
    doctest are made; `numpy` is the operation's name in NumPy, and `notation` how people write it, if these are others.
    ValueError if neither functions.py nor the template says what the operation is over floats.
    """

    def register(partials: Function) -> Function:
        name = partials.__name__
        made = Rule(name, template, partials, numpy=numpy, notation=notation)
        function: Function | None = OVER_NUMBERS.get(name)
        if function is None or (name in RULES and f"{name}(" not in template):  # made of other operations: its template is its value
            if f"{name}(" in template:
                raise ValueError(f"{name} stands in its own template: functions.py must say what it is over floats")
            parameters = ["x", "y"] if "{y}" in template else ["x"]
            value = f"lambda {', '.join(parameters)}: {made.program(parameters)}"
            over_floats, over_complex = eval(value, dict(KERNELS)), eval(value, FUNCTIONS | {"__builtins__": {}})
            default = partials.__defaults__
            pack = (lambda x, y=default[0]: (x, y)) if default else None
            function = over_numbers(name, over_floats, over_complex, arity=len(parameters), pack=pack)
        text, _, example = doc.rpartition(": ")
        call, _, result = example.partition(" is ")
        function.__doc__ = f"{text}.\n\n    >>> {call}\n    {result}\n    "
        function.__module__ = "micrograd_plus.rules"
        RULES[name], FUNCTIONS[name] = made, function
        return function

    return register
