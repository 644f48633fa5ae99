"""The optimizers of `micrograd_plus.nn`, and `fit`, under the name they had before."""

from .nn.optim import *  # noqa: F403
from .nn.optim import __all__ as _optimizers
from .nn.training import *  # noqa: F403
from .nn.training import __all__ as _training

__all__ = [*_optimizers, *_training]
