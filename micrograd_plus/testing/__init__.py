"""Testing derivatives: `check_grads`, `check_derivative`, and the slopes that they are compared with.

differences.py holds the ways to a slope that know no calculus, checks.py the checks, and strategies.py random
expressions for hypothesis, which alone is needed for it and must be imported by itself.
"""

from .checks import check_derivative, check_grads
from .differences import central_difference, complex_step, forward_difference, ridders

__all__ = ["central_difference", "check_derivative", "check_grads", "complex_step", "forward_difference", "ridders"]
