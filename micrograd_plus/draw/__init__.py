"""Diagrams of expressions, see diagram.py; how they become pictures, see engines.py."""

from .diagram import draw_dot, numbered
from .files import write
from .formulas import expression, formula, partial_formulas
from .modules import values_in

__all__ = ["draw_dot", "expression", "formula", "numbered", "partial_formulas", "values_in", "write"]
