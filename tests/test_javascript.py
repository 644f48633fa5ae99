"""Rules printed as JavaScript, and the functions that Math lacks: run by Node, and compared with Python."""

import json
import math
import shutil
import subprocess
import sys

import pytest
from test_accuracy import operands

from micrograd_plus.explore.page import _file, _kernels
from micrograd_plus.functions import KERNELS
from micrograd_plus.jit.javascript import formulas, rules
from micrograd_plus.rules import FUNCTIONS, RULES, rule

NODE = shutil.which("node")
LIMIT = 1e-13
RUN = """
const numbers = JSON.parse(require("fs").readFileSync(0, "utf8"));
const tell = (x) => Number.isFinite(x) ? x : String(x).replace("Infinity", "inf").replace("NaN", "nan");
const results = numbers.map((points, i) => points.map((xs) => {
  try { return rules[i](...xs.map(Number)).map(tell); }
  catch (error) { if (!(error instanceof RangeError)) throw error; return error.message; }
}));
console.log(JSON.stringify(results));
"""
needs_node = pytest.mark.skipif(not NODE, reason="there is no Node here: apt install nodejs")


def run(printed, points):
    """What the printed rules give at these points: a list of results, or the words of a refusal."""
    program = "\n".join(['"use strict";', _file("kernels.js"), printed, RUN])
    words = json.dumps([[[repr(x).replace("inf", "Infinity") for x in xs] for xs in some] for some in points])
    done = subprocess.run([NODE, "-e", program], input=words.replace("nan", "NaN"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    results = json.loads(done.stdout)
    return [[r if isinstance(r, str) else [float(x) for x in r] for r in some] for some in results]


def python(made, xs):
    """What the rule gives, or the error that it raises."""
    try:
        return [float(x) for x in made.partials(*xs)]
    except (ValueError, ArithmeticError) as error:
        return error


def steepness(made, xs, i):
    """By how much result `i` changes, relatively, if an operand moves to the next number."""
    here, worst = python(made, xs)[i], 0.0
    for k, x in enumerate(xs):
        for end in (math.inf, -math.inf):
            there = python(made, (*xs[:k], math.nextafter(x, end), *xs[k + 1 :]))
            if isinstance(there, Exception) or not math.isfinite(there[i]):
                return math.inf
            worst = max(worst, abs(there[i] - here) / (abs(here) or 1e-300))
    return worst


@needs_node
def test_every_rule_gives_in_javascript_what_it_gives_in_python():
    made = list(RULES.values())
    cases = []
    for r in made:
        points = [tuple(xs) for xs in operands(r.name)]
        cases += [(r, n, [xs for xs in points if len(xs) == n]) for n in {*map(len, points)}]
    printed, missing = rules([(r, n) for r, n, _ in cases], _kernels())
    assert not any(missing)
    compared = dict.fromkeys(RULES, 0)
    for (r, _, some), results in zip(cases, run(printed, [some for *_, some in cases]), strict=True):
        for xs, found in zip(some, results, strict=True):
            wanted = python(r, xs)
            if isinstance(wanted, OverflowError):
                continue  # in JavaScript it is infinite
            if isinstance(wanted, Exception):
                assert isinstance(found, str), f"{r.name} at {xs}: {wanted}, but in JavaScript {found}"
                continue
            assert not isinstance(found, str), f"{r.name} at {xs}: {wanted}, but in JavaScript {found}"
            for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
                if a == b or (a != a and b != b) or abs(b) < sys.float_info.min:
                    continue
                close = abs(a - b) <= LIMIT * abs(b)
                assert close or steepness(r, xs, i) > LIMIT, f"{r.name} at {xs}, result {i}: {b}, but in JavaScript {a}"
            compared[r.name] += 1
    assert min(compared.values()) > 100, compared


EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 1e308, -1e308, math.inf, -math.inf, math.nan]


@needs_node
def test_at_the_edges_javascript_refuses_what_python_refuses_and_gives_the_same_infinities():
    made = [r for r in RULES.values() if not r.sequences]
    counts = [2 if "{y}" in r.template else 1 for r in made]
    points = [[(x, y)[:n] for x in EDGES for y in (EDGES if n == 2 else [0.0])] for n in counts]
    printed, _ = rules(zip(made, counts, strict=True), _kernels())
    for r, some, results in zip(made, points, run(printed, points), strict=True):
        for xs, found in zip(some, results, strict=True):
            wanted = python(r, xs)
            if isinstance(wanted, OverflowError):
                continue
            assert isinstance(wanted, Exception) == isinstance(found, str), f"{r.name} at {xs}: {wanted}, {found}"
            if not isinstance(found, str):
                assert found == pytest.approx(wanted, rel=LIMIT, abs=0.0, nan_ok=True), f"{r.name} at {xs}"


@needs_node
def test_sums_are_rounded_once_and_large_ones_stay_finite_on_the_way():
    printed, _ = rules([(RULES["sum"], 3), (RULES["sum"], 10), (RULES["sum"], 0)], _kernels())
    found = run(printed, [[(1e308, 1e308, -1e308), (1e16, 1.0, 1e-16), (1.0, 1e-16, 1e-16)], [(0.1,) * 10], [()]])
    assert [row[0] for row in found[0]] == [1e308, 1e16 + 2.0, math.fsum([1.0, 1e-16, 1e-16])]
    assert [found[1][0][0], found[2][0][0]] == [1.0, 0.0]


@pytest.fixture
def own_rules():
    """Operations of the user's own: of known functions, a word of JavaScript, a branch, a function of its own."""
    before = RULES.keys() | set()

    @rule("{x} * sigmoid({y} * {x}) / {y}", "Swish over y: swish(0.0, 1.0) is 0.0")
    def swish(x, y):
        share = FUNCTIONS["sigmoid"](y * x)
        return swish(x, y), share / y, x * share * (1.0 - share) * x / y

    @rule("{x} * {x} % 3.0", "The square modulo 3: new(2.0) is 1.0")
    def new(x):
        return new(x), 2.0 * x

    @rule("{x} * 2.0", "Twice x, with a wrong slope below 0: branching(2.0) is 4.0")
    def branching(x):
        return branching(x), 2.0 if x > 0.0 else 1.0

    @rule(over_floats=lambda x: x)
    def hidden(x):
        return hidden(x), 1.0

    yield [RULES[name] for name in ("swish", "new", "branching", "hidden")]
    for name in RULES.keys() - before:
        del RULES[name], FUNCTIONS[name], KERNELS[name]


@needs_node
def test_a_rule_of_ones_own_is_printed_if_it_is_made_of_known_functions_and_does_not_branch(own_rules):
    swish, new, *_ = own_rules
    printed, missing = rules(zip(own_rules, (2, 1, 1, 1), strict=True), _kernels())
    assert missing == [False, False, True, True]
    points = [(1.5, 0.7), (-3.0, 2.0)], [(5.0,), (-2.5,)]
    for made, some, results in zip((swish, new), points, run(printed, points), strict=True):
        for xs, found in zip(some, results, strict=True):
            assert found == pytest.approx(python(made, xs), rel=LIMIT)


def test_formulas_are_those_of_the_calculus_book():
    assert formulas(RULES["mul"], [None, None]) == ["{1}", "{0}"]
    assert formulas(RULES["truediv"], [1.0, None])[1] == "-(1 / {1}) / {1}"
    assert formulas(RULES["pow"], [None, 3.0])[0] == "3 * {0} ** 2"
    assert formulas(RULES["sin"], [None]) == ["cos({0})"]
    assert formulas(RULES["maximum"], [None, None]) == ["", ""]  # a choice has no one formula
