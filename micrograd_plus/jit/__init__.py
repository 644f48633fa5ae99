"""Programs that run fast: what a function does to its numbers, written down once and printed for a target.

Read trace.py, text.py, python.py; compiled.py is what a call goes through; llvm.py, jax.py, javascript.py are printers.
"""

from .compiled import BACKENDS as BACKENDS
from .compiled import Compiled as Compiled
from .compiled import jit as jit
