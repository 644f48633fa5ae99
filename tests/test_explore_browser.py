"""The page in a browser: Chromium, or Chrome, that is on this machine already, and its driver, by Selenium.

A few random programs by default; `pytest tests/test_explore_browser.py --examples 200` tries as many as you like.
"""

import json
import math
import os
import shutil
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.functions import chained
from micrograd_plus.losses import mse
from micrograd_plus.nn import MLP
from micrograd_plus.rules import FUNCTIONS, RULES, rule
from micrograd_plus.tape import operands, tape
from micrograd_plus.testing.strategies import expressions, networks, points

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = "--headless=new --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
FLAGS += " --disable-sync --disable-extensions --window-size=1280,800"
FIELDS = ("data", "grad", "tangent")
TRIES = 5 if settings.get_current_profile_name() == "ci" else settings().max_examples


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One browser for all tests; where there is none, they are skipped."""
    webdriver = pytest.importorskip("selenium.webdriver", reason='pip install -e ".[browser]" brings Selenium')
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("there is no Chromium with its driver here: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def page(chromium, tmp_path):
    """Opens a page; afterwards there may be no error on its console, and it may have asked for nothing else."""
    path = tmp_path / "page.html"

    def opened(root, fragment="", **options):
        mg.explore(root, **options).save(path)
        chromium.get("about:blank")
        chromium.get(f"{path.as_uri()}#{fragment}")
        return chromium

    chromium.get_log("browser"), chromium.get_log("performance")
    yield opened
    assert chromium.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert urls
    assert {url.partition("#")[0] for url in urls} <= {path.as_uri(), "about:blank"}


def readme():
    w, x, b, y = [Value(z, label=name) for z, name in ((2.0, "w"), (1.0, "x"), (0.0, "b"), (5.0, "y"))]
    return 0.5 * (w * x + b - y) ** 2


def states(chromium, steps=None):
    """The states of the page at all steps, or at these; inf and nan are strings."""
    return chromium.execute_script(
        """
        const tell = (x) => x === null || Number.isFinite(x) ? x : String(x);
        const steps = arguments[0] ?? Array.from({ length: explore.steps + 1 }, (_, step) => step);
        return steps.map((step) => {
          explore.goto(step);
          const nodes = Object.entries(explore.state().nodes);
          return nodes.map(([name, n]) => [name, tell(n.data), tell(n.grad), tell(n.tangent)]);
        });""",
        steps,
    )


# What Python computes -------------------------------------------------------------------------------------------------


class Program:
    """A graph run anew from its rules, for other inputs, and with a node that is moved by a little."""

    def __init__(self, root):
        self.nodes = tape(root)
        self.index = {x: i for i, x in enumerate(self.nodes)}
        labels = {x.label for x in self.nodes}
        free = (name for i in range(1, 10**6) if (name := f"v{i}") not in labels)
        self.names = [x.label or next(free) for x in self.nodes]
        self.pairs = [operands(x) for x in self.nodes]
        self.edges = [
            (i, k, self.index[x])
            for i in reversed(range(len(self.nodes)))
            for k, (x, partial) in enumerate(self.pairs[i])
            if partial is not None
        ]

    def run(self, inputs, moved=-1, by=0.0):
        """data, tangent (the first input moves), and the gradients after each edge, with None where there is none."""
        data, partials, tangent = [], [], []
        for i, node in enumerate(self.nodes):
            if node.rule.name:
                numbers = [data[self.index[x]] if p is not None else x for x, p in self.pairs[i]]
                if None in numbers:
                    data.append(None), partials.append(None), tangent.append(None)
                    continue
                try:
                    value, *slopes = node.rule.partials(*numbers)
                except OverflowError:
                    return None  # the page says inf
                except (ValueError, ArithmeticError):
                    data.append(None), partials.append(None), tangent.append(None)
                    continue
                speeds = [
                    chained(tangent[self.index[x]], slope)
                    for (x, p), slope in zip(self.pairs[i], slopes, strict=True)
                    if p is not None
                ]
                data.append(value), partials.append(slopes), tangent.append(sum(speeds))
            else:
                data.append(inputs[node.label]), partials.append([]), tangent.append(float(i == 0))
            if i == moved:
                data[i] += by * abs(data[i])
        grad = [None] * len(data)
        if data[-1] is not None:
            grad[-1] = 1.0
        grads = [[None] * len(data) if self.edges else grad[:]]  # a number alone is its own result at once
        for user, k, x in self.edges:
            if data[user] is not None and grad[user] is not None:
                grad[x] = (grad[x] or 0.0) + chained(grad[user], partials[user][k])
            grads.append(grad[:])
        return data, tangent, grads

    def at(self, numbers, step):
        data, tangent, grads = numbers
        n = len(data)
        known = [i < step for i in range(n)]
        return [
            (d if k else None, g if step else None, t if k else None)
            for d, t, g, k in zip(data, tangent, grads[max(step - n, 0)], known, strict=True)
        ]

    def tolerances(self, inputs, numbers, step):
        """By how much each number changes, if each node in turn is moved by 2 units in the last place, twice."""
        here = self.at(numbers, step)
        total = [[0.0] * 3 for _ in here]
        for i in range(len(self.nodes)):
            moved = self.run(inputs, i, 2 * 2.2e-16)
            if moved is None:
                return None
            for row, there, was in zip(total, self.at(moved, step), here, strict=True):
                for k in range(3):
                    if (
                        there[k] is not None
                        and was[k] is not None
                        and math.isfinite(there[k])
                        and math.isfinite(was[k])
                    ):
                        row[k] += 2 * abs(there[k] - was[k])
        return total


def compare(chromium, program, inputs, steps):
    numbers = program.run(inputs)
    if numbers is None:
        return
    for step, nodes in zip(steps, states(chromium, steps), strict=True):
        assert [name for name, *_ in nodes] == program.names
        tolerances = None
        for i, ((name, *found), wanted) in enumerate(zip(nodes, program.at(numbers, step), strict=True)):
            for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
                a = float(a.replace("Infinity", "inf")) if isinstance(a, str) else a
                if a is None or b is None:
                    assert a is b, (step, name, FIELDS[k], a, b, inputs)
                elif a != b and not (a != a and b != b) and not math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12):
                    tolerances = tolerances or program.tolerances(inputs, numbers, step)
                    close = tolerances is None or abs(a - b) <= tolerances[i][k]
                    assert close, (step, name, FIELDS[k], a, b, inputs)


def walk(chromium, root, moves):
    """Compare all steps, then the last one after each move, then all steps again."""
    program = Program(root)
    inputs = {x.label: x.data for x in program.nodes if not x.rule.name}
    steps = list(range(len(program.nodes) + len(program.edges) + 1))
    assert chromium.execute_script("return explore.steps") == steps[-1]
    compare(chromium, program, inputs, steps)
    for name, x in moves:
        if name in inputs:
            inputs[name] = x
            chromium.execute_script("explore.set(...arguments)", name, x)
            compare(chromium, program, inputs, steps[-1:])
    compare(chromium, program, inputs, steps)


@settings(max_examples=TRIES)
@given(data=st.data())
def test_every_number_of_a_random_expression_is_pythons_at_every_step(chromium, tmp_path_factory, data):
    f = data.draw(expressions(smooth=False))
    start = data.draw(points(f))
    root = f(*[Value(x, label=name) for name, x in zip(f.variables, start, strict=True)])
    moves = []
    while len(moves) < 10:
        moves += zip(f.variables, data.draw(points(f)), strict=True)
    path = tmp_path_factory.mktemp("random") / "page.html"
    mg.explore(root).save(path)
    chromium.get(path.as_uri())
    walk(chromium, root, moves[:10])


@settings(max_examples=max(TRIES // 10, 1))
@given(data=st.data())
def test_every_number_of_a_random_network_is_pythons_at_every_step(chromium, tmp_path_factory, data):
    model = data.draw(networks(outputs=1))
    x = data.draw(points(model))
    inputs = [Value(z, label=f"x{i}") for i, z in enumerate(x)]
    root = mse([model(inputs)], [0.5])
    names = [v.label for v in tape(root) if v.label]
    moves = data.draw(st.lists(st.tuples(st.sampled_from(names), st.floats(-2.0, 2.0)), min_size=10, max_size=10))
    path = tmp_path_factory.mktemp("random") / "page.html"
    mg.explore(root, groups=True).save(path)
    chromium.get(path.as_uri())
    walk(chromium, root, moves)
