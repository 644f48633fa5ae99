"""Diagrams (to come)."""


def draw_dot(root): ...
