"""What all tests share: how many random programs they try."""

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow]  # a shared machine may be slow at any moment; that is no failure


def pytest_addoption(parser):
    parser.addoption(
        "--examples",
        type=int,
        default=0,
        help="random examples for each property test, drawn anew at each run (default: 100, always the same)",
    )


def pytest_configure(config):
    examples = config.getoption("--examples")
    settings.register_profile("ci", derandomize=True, max_examples=100, deadline=None, suppress_health_check=SLOW)
    settings.register_profile("more", max_examples=examples or 100, deadline=None, suppress_health_check=SLOW)
    settings.load_profile("more" if examples else "ci")
