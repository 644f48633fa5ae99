"""The fuzzer is fuzzed: all columns agree on a few programs, and a small fault in the engine is found and shrunk."""

import shutil

import pytest
from fuzz import COLUMNS, UNDECIDED, expression, fuzz, judged, modes, shrunk

from micrograd_plus.rules import RULES
from micrograd_plus.value import Value

IN_NODE = pytest.param("javascript", marks=pytest.mark.skipif(not shutil.which("node"), reason="there is no Node here"))


def failed(verdicts):
    return [(f, name, text) for f, name, text in verdicts if text not in ("", UNDECIDED)]


@pytest.mark.parametrize("name", ["jvp", "jit-python", IN_NODE, "mpmath", "series", "mpmath-2"])
def test_a_column_agrees_with_us(name):
    verdicts = [verdict for batch in fuzz(100, 5, [name]) for verdict in batch]
    assert len(verdicts) == 200
    assert not failed(verdicts)
    assert sum(text == UNDECIDED for *_, text in verdicts) <= 2


def test_a_slope_that_is_off_by_a_billionth_is_found_and_shrunk(monkeypatch):
    silu = RULES["silu"].partials

    def wrong(x):
        value, slope = silu(x)
        return value, slope * (1.0 + 1e-9)

    monkeypatch.setattr(RULES["silu"], "partials", wrong)
    found = failed(verdict for batch in fuzz(300, 5, ["mpmath"]) for verdict in batch)
    assert found
    f, name, text = found[0]
    assert name == "mpmath"
    assert "off by" in text
    assert shrunk(f, name).operations == ("silu",)


def test_a_gradient_that_is_not_the_tangent_is_found(monkeypatch):
    backward = Value.backward
    monkeypatch.setattr(Value, "backward", lambda self: backward(self, 1.0 + 1e-9))
    verdicts = [verdict for batch in fuzz(50, 5, []) for verdict in batch]
    assert len(failed(verdicts)) > 25  # the others have no slope
    monkeypatch.undo()
    inputs = [Value(0.5, tangent=1.0)]
    assert modes([0.5], [("sin", (0,))], [*inputs, inputs[0].sin()]) == ""


def test_what_no_two_ways_agree_on_is_undecided_and_what_raises_is_a_failure(monkeypatch):
    f = expression([1e-9], [("sub", (0, 3.0)), ("add", (1, 3.0)), ("truediv", (2, 0))])  # rounded to a millionth
    column = COLUMNS["jvp"][0], lambda programs: [[1.0, 0.5] for _ in programs], *COLUMNS["jvp"][2:]
    monkeypatch.setitem(COLUMNS, "jvp", column)
    assert judged(f, "jvp") == UNDECIDED
    monkeypatch.setitem(COLUMNS, "jvp", (column[0], lambda programs: 1 / 0, *column[2:]))
    assert "ZeroDivisionError" in judged(f, "jvp")
