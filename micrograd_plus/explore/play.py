"""For IPython: it takes examples as they stand on a page, with `>>>`, `...` and their output, and shows every result.

It is loaded by `ipython --ext micrograd_plus.explore.play`.
"""

from __future__ import annotations

from doctest import DocTestParser
from typing import Any


def code_alone(lines: list[str]) -> list[str]:
    """The lines of code of an example that was pasted with its output; other lines as they are.

    >>> code_alone([">>> for i in range(1):\\n", "...     i\\n", "0\\n"])
    ['for i in range(1):\\n', '    i\\n']
    """
    if not "".join(lines).lstrip().startswith(">>>"):
        return lines
    examples = DocTestParser().get_examples("".join(lines))
    return [line for example in examples for line in example.source.splitlines(keepends=True)]


def load_ipython_extension(ip: Any) -> None:
    """What IPython calls."""
    ip.input_transformers_cleanup.insert(0, code_alone)
    ip.ast_node_interactivity = "all"
