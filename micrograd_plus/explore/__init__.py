"""The page that lives: a graph to step through, whose numbers move, and which says why; or the same as text."""

from .explain import explain
from .page import Page, explore

__all__ = ["Page", "explain", "explore"]
