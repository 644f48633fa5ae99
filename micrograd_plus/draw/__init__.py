"""Diagrams of expressions, see diagram.py; how they become pictures, see engines.py.

What a notebook shows of a Value, see notebook.py.
"""

from .diagram import draw_dot, numbered
from .files import write
from .formulas import expression, formula, partial_formulas
from .modules import values_in
from .notebook import table

__all__ = ["draw_dot", "expression", "formula", "numbered", "partial_formulas", "table", "values_in", "write"]
