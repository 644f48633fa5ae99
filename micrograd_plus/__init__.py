"""Automatic differentiation on scalars, forward and reverse, by one rule per operation; small enough to read.

Read it in this order: functions.py, rules.py, tape.py, value.py, transforms.py; then symbols.py, printing.py, jit.py,
which compile, draw/, which draws any result, explore/, which makes a page of it, and nn.py, losses.py, optim.py, which
make networks and train them.
"""

import builtins

from .draw import draw_dot
from .explore import explain, explore
from .jit import jit
from .rules import FUNCTIONS
from .transforms import derivative, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # what a type checker cannot see: sin, exp, relu, ... take floats to floats, and Values to Values
    from typing import Any, Protocol, overload

    class _Operation(Protocol):
        @overload
        def __call__(self, x: float, *more: float) -> float: ...
        @overload
        def __call__(self, x: Value, *more: Value | float) -> Value: ...
        @overload
        def __call__(self, x: float, y: Value) -> Value: ...
        @overload
        def __call__(self, *arguments: Any) -> Any: ...

    def __getattr__(name: str) -> _Operation: ...


globals().update(FUNCTIONS)  # a function for every rule

__version__ = "0.1.0"
__all__ = ["Value", "derivative", "draw_dot", "explain", "explore", "grad", "hessian", "hvp", "jacobian", "jit", "jvp"]
__all__ += ["value_and_grad", "vjp"]
__all__ += [name for name in FUNCTIONS if not hasattr(builtins, name)]  # `import *` leaves abs, pow and sum alone
