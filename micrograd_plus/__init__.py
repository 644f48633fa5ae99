"""Automatic differentiation on scalars, forward and reverse, by one rule per operation; small enough to read.

Read it in this order: value.py, rules.py, tape.py, transforms.py, functions.py. The rest is there to be used: draw
draws any result, explore makes a page of it, jit compiles, nn makes networks and trains them, testing checks gradients.
"""

import builtins
import os
from math import e, inf, nan, pi, tau

from .value import Value

if not os.environ.get("MICROGRAD_PLUS_PLAIN"):
    from .machinery import fast

    fast.install()
from .batch import vmap
from .draw import draw_dot
from .explore import explain, explore
from .jit import jit
from .machinery.more import MORE
from .machinery.trees import register_tree, stop_gradient
from .rules import FUNCTIONS, rule
from .series import derivatives, taylor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .machinery.signatures import *  # noqa: F403
else:
    from .transforms import derivative, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

    globals().update(MORE, **FUNCTIONS)  # a function for every rule, and those made of them

__version__ = "0.1.0"
__all__ = ["Value", "derivative", "derivatives", "draw_dot", "explain", "explore", "grad", "hessian", "hvp", "jacobian"]
__all__ += ["jit", "jvp", "register_tree", "rule", "stop_gradient", "taylor", "value_and_grad", "vjp", "vmap"]
__all__ += ["e", "inf", "nan", "pi", "tau"]
# `import *` leaves abs, pow and sum alone
__all__ += [name for name in FUNCTIONS | MORE if not hasattr(builtins, name)]
