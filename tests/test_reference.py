"""The rules beside tests/reference/derivatives.csv: values, first slopes in units in the last place, higher orders."""

import csv
import math
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from mpmath import mp, mpf
from test_accuracy import EXEMPTIONS, LIMIT, MOST, ulps

import micrograd_plus as mg
from micrograd_plus.rules import RULES

FILE = Path(__file__).parent / "reference" / "derivatives.csv"
SHARE = 1e-9  # of a second or third derivative, or of 1e-12 of the largest one there


@cache
def table():
    """For each function, its points, and for each point the derivatives, by how often they are taken."""
    with FILE.open(encoding="ascii") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        found = defaultdict(lambda: defaultdict(dict))
        for row in rows:
            operands = tuple(map(float.fromhex, row["operands"].split()))
            found[row["function"]][operands][tuple(map(int, row["derivative"].split()))] = row["result"]
    return found


def test_every_operation_has_reference_values():
    assert set(RULES) - {"times"} <= set(table())
    assert sum(len(orders) for points in table().values() for orders in points.values()) > 4000


@pytest.mark.parametrize("name", RULES)
def test_values_and_first_slopes_are_within_4_ulp_of_the_reference(name):
    rows = [row for row in EXEMPTIONS if row.name == name]
    with mp.workdps(50):
        for operands, results in table().get(name, {}).items():
            if abs(mpf(results[(0,) * len(operands)])) > MOST:
                continue  # it overflows, as the edges' own tests say
            found = RULES[name].partials(*operands)
            for orders, text in results.items():
                if sum(orders) > 1:
                    continue
                i = 1 + orders.index(1) if sum(orders) else 0
                error, value = ulps(found[i], mpf(text)), mpf(results[(0,) * len(orders)])
                row = next((row for row in rows if row.covers(i, operands, value)), None)
                limit = row.limit if row else LIMIT
                assert error is None or error <= limit, f"{name}{operands}, {orders}: {found[i]!r}, exactly {text}"


def derivative(name, operands, orders):
    """The mixed derivative, by forward mode as often."""
    f = mg.rules.FUNCTIONS[name]

    def along(*x):
        result = f(list(x)) if RULES[name].sequences == 1 else f([x[0]], [x[1]]) if RULES[name].sequences else f(*x)
        return result[0] if isinstance(result, list) else result

    for i, n in enumerate(orders):
        for _ in range(n):

            def along(*x, g=along, i=i):
                return mg.derivative(lambda t: g(*x[:i], t, *x[i + 1 :]))(x[i])

    return along(*operands)  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_second_and_third_derivatives_are_those_of_the_reference(name):
    for operands, results in table().get(name, {}).items():
        largest = max(abs(float(text)) for text in results.values())
        for orders, text in results.items():
            right = float(text)
            if sum(orders) < 2 or not 1e-290 < max(abs(right), largest) < 1e290:
                continue
            found = derivative(name, operands, orders)
            close = math.isclose(found, right, rel_tol=SHARE, abs_tol=1e-12 * largest)
            assert close, (name, operands, orders, found, text)
