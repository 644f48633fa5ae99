"""The command line: for an expression and its inputs, the tape, the derivatives, and the picture.

    micrograd-plus "0.5 * (w*x + b - y)**2" w=2 x=1 b=0 y=5 --draw graph.svg

Python parses the expression but never runs it: an `Expression` walks over what the parser found, and knows numbers,
names, arithmetic and the functions of `rules.py`, nothing else. It runs over numbers of any kind: over Values for
the tape and the gradients, inside `derivative` for forward mode, and over floats for the numerical check.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import inspect
import json
import keyword
import math
import operator
import os
import re
import subprocess
import sys
import textwrap
import unicodedata
import warnings
from itertools import count, zip_longest
from pathlib import Path
from typing import Any, NoReturn

from . import __version__, draw
from .rules import FUNCTIONS, RULES
from .tape import operands, tape
from .transforms import derivative
from .value import Value

LENGTH, DEPTH, ORDER = 4000, 100, 10  # of an expression: the most characters, levels of nesting, derivatives
FORMATS = ("svg", "png", "pdf", "dot")
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
OPERATORS: dict[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.USub: "neg"}
OPERATORS |= {ast.Mod: "mod", ast.Pow: "pow"}
COMPARISONS: dict[type, Any] = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
COMPARISONS |= {ast.Eq: operator.eq, ast.NotEq: operator.ne}
REFUSED: dict[type, str] = {
    ast.BitXor: "^ is not an operation here, a power is written **",
    ast.Compare: "a comparison stands only in where(...), as in where(x > 0, x, -x)",
    ast.IfExp: "instead of 'if', write where(x > 0, x, -x)",
    ast.Attribute: "attributes are not allowed",
    ast.Subscript: "an index is allowed only as in softmax([x, y])[0]",
    ast.List: "a list stands only in functions of a sequence, as in sum([x, y])",
    ast.Call: "only functions can be called; a product is written with *, as in 2 * (x + 1)",
}


class InputError(Exception):
    """What was typed cannot be computed; the message is the one line that is printed."""


class Expression:
    """An arithmetic expression: called with a number for each name, it returns its value, a number of their kind."""

    def __init__(self, text: str) -> None:
        if len(text) > LENGTH:
            raise InputError(f"the expression has {len(text)} characters; {LENGTH} are the most")
        if "#" in text:
            raise InputError(f"column {text.index('#') + 1}: a comment is not allowed")
        self.text = re.sub(r"\s", " ", text)  # one line, in which the columns stay the same
        self.indent = len(self.text) - len(self.text.lstrip())
        deep = f"the expression is nested more than {DEPTH} levels deep; a long sum can be written sum([x, y, ...])"
        try:
            with warnings.catch_warnings(action="ignore"):  # a questionable spelling is refused below, or is all right
                self.tree = ast.parse(self.text.lstrip(), mode="eval").body
        except SyntaxError as error:
            raise InputError(f"column {self.indent + max(error.offset or 1, 1)}: {error.msg}") from None
        except ValueError:
            raise InputError("the expression has characters that are not text") from None
        except (RecursionError, MemoryError):
            raise InputError(deep) from None
        layer, depth = [self.tree], 0
        while layer := [child for node in layer for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]:
            depth += 1
            if depth == DEPTH:
                raise InputError(deep)
        self.names = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}

    def __call__(self, numbers: dict[str, Any]) -> Any:
        return self._number(self.tree, numbers)
