"""Networks of Values, and what trains them: modules, losses, optimizers, and `fit`, the loop around these."""

from .losses import binary_cross_entropy, cross_entropy, hinge, huber, mae, mse
from .modules import (
    MLP,
    GradientReport,
    Layer,
    LayerGradients,
    Module,
    Neuron,
    glorot,
    gradient_report,
    he,
    linear,
    uniform,
)
from .optim import SGD, Adam, AdamW, Optimizer, clip_grad_norm
from .training import fit

__all__ = ["MLP", "SGD", "Adam", "AdamW", "GradientReport", "Layer", "LayerGradients", "Module", "Neuron", "Optimizer"]
__all__ += ["binary_cross_entropy", "clip_grad_norm", "cross_entropy", "fit", "glorot", "gradient_report", "he"]
__all__ += ["hinge", "huber", "linear", "mae", "mse", "uniform"]
