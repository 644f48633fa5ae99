"""What all tests share: how many random programs they try, and that each begins with the library as it is."""

import sys

import pytest
from hypothesis import HealthCheck, Phase, settings

from micrograd_plus.functions import KERNELS, OVER_NUMBERS
from micrograd_plus.machinery.operations import FUNCTIONS, OWN, RULES

SLOW = [HealthCheck.too_slow]  # a shared machine may be slow at any moment; that is no failure


TABLES = [(table, dict(table)) for table in (RULES, FUNCTIONS, KERNELS, OVER_NUMBERS, OWN)]


@pytest.fixture(autouse=True)
def _only_the_rules_of_the_library():
    """What another test, or an example in a page, has defined is gone."""
    for table, names in TABLES:
        table.clear()
        table.update(names)


@pytest.fixture(autouse=True)
def _the_path_of_before(monkeypatch):
    """Where a test has looked for modules, no other one does, nor a process that it starts."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def pytest_addoption(parser):
    parser.addoption(
        "--examples",
        type=int,
        default=0,
        help="random examples for each property test, drawn anew at each run (default: 50, always the same)",
    )
    parser.addoption("--whole", action="store_true", help="the whole trainings, not shortened ones")


def pytest_configure(config):
    examples = config.getoption("--examples")
    # Without Phase.explain, which traces every line of a failing test and takes longer than finding it.
    phases = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
    shared = settings(deadline=None, suppress_health_check=SLOW, phases=phases)
    settings.register_profile("ci", shared, derandomize=True, max_examples=50)
    settings.register_profile("more", shared, max_examples=examples or 100)
    settings.load_profile("more" if examples else "ci")
