"""The losses of `micrograd_plus.nn`, under the name they had before."""

from .nn.losses import *  # noqa: F403
from .nn.losses import __all__ as __all__
