"""Testing derivatives: `check_grads` and its sisters, and the slopes that they are compared with.

differences.py holds the ways to a slope that know no calculus, judging.py how a derivative is compared with them, and
checks.py the checks. strategies.py has random expressions for hypothesis, which alone is needed for it and must be
imported by itself.
"""

from .checks import check_backward, check_derivative, check_grads, check_jvp, check_vjp
from .differences import central_difference, complex_step, forward_difference, ridders
from .examination import check_engine
from .profile import gradients

__all__ = [
    "central_difference",
    "check_backward",
    "check_derivative",
    "check_engine",
    "check_grads",
    "check_jvp",
    "check_vjp",
    "complex_step",
    "forward_difference",
    "gradients",
    "ridders",
]
