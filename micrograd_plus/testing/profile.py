"""The settings with which a failing gradient test takes a tenth of a second instead of many."""

from __future__ import annotations

from typing import Any


def gradients(test: Any = None, /, *, max_examples: int = 100, **options: Any) -> Any:
    """A decorator for tests with hypothesis' `given`, above or below it: settings that suit tests of gradients.

    A failing test is not explained line by line, which takes longer than finding and shrinking the failure, and no
    example has a time limit. `options` are further ones of `hypothesis.settings`. ImportError without hypothesis.

    >>> from hypothesis import given, strategies as st
    >>> @gradients
    ... @given(st.floats(-1.0, 1.0))
    ... def test_square(x):
    ...     assert x * x >= 0.0
    >>> test_square()
    """
    from hypothesis import HealthCheck, Phase, settings

    phases = [Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink]
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    usual = {"deadline": None, "phases": phases, "suppress_health_check": quiet, "max_examples": max_examples}
    decorator = settings(**usual | options)
    return decorator(test) if test is not None else decorator
