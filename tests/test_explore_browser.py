"""The page in a browser: Chromium, or Chrome, that is on this machine already, and its driver, by Selenium.

A few random programs by default; `pytest tests/test_explore_browser.py --examples 200` tries as many as you like.
"""

import base64
import importlib.util
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.functions import KERNELS
from micrograd_plus.losses import mse
from micrograd_plus.machinery.digits import times
from micrograd_plus.nn import MLP
from micrograd_plus.rules import FUNCTIONS, RULES, rule
from micrograd_plus.tape import operands, tape
from micrograd_plus.testing.strategies import expressions, networks, points
from micrograd_plus.value import bottom

spec = importlib.util.spec_from_file_location(
    "make_screenshots", Path(__file__).parent.parent / "docs/make_screenshots.py"
)
make_screenshots = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_screenshots)

FIELDS = ("data", "grad", "tangent")
TRIES = 5 if settings.get_current_profile_name() == "ci" else settings().max_examples


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One browser for all tests; where there is none, they are skipped."""
    pytest.importorskip("selenium", reason='there is no Selenium here: pip install -e ".[browser]"')
    try:
        chrome = make_screenshots.chromium(tmp_path_factory.mktemp("chromium"))
    except LookupError as error:
        pytest.skip(str(error))
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

    chromium.get("about:blank")
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
                    times(tangent[self.index[x]], slope)
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
                grad[x] = (grad[x] or 0.0) + times(grad[user], partials[user][k])
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


# What one does with it ------------------------------------------------------------------------------------------------


def text(chromium, selector):
    return chromium.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def state(chromium, name, field="data"):
    return chromium.execute_script("return explore.state().nodes[arguments[0]][arguments[1]]", name, field)


def wait(chromium):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(chromium, 5)


def press(chromium, *keys):
    for key in keys:
        chromium.switch_to.active_element.send_keys(key)


def find(chromium, selector):
    return chromium.find_element("css selector", selector)


def test_the_steps_of_the_readmes_expression(page):
    chromium = page(readme())
    assert chromium.execute_script("return explore.steps") == 17
    assert state(chromium, "w", "grad") == -3.0
    chromium.execute_script("explore.goto(0)")
    blank = {"data": None, "grad": None, "tangent": None}
    wanted = {"step": 0, "nodes": dict.fromkeys(("w", "x", "v1", "b", "v2", "y", "v3", "v4", "v5"), blank)}
    assert chromium.execute_script("return explore.state()") == wanted
    assert [cell.text for cell in chromium.find_elements("css selector", "[data-node]")] == [""] * 27
    told = []
    for step in range(18):
        chromium.execute_script("explore.goto(arguments[0])", step)
        told.append(text(chromium, "#step"))
    assert "Nothing has been computed yet" in told[0]
    assert "v3 = v2 − y = 2 − 5 = −3" in told[7]
    assert "v̇3 = 1 · v̇2 + (−1) · ẏ = 1 · 1 + (−1) · 0 = 1" in told[7]
    assert "∂v5/∂w += ∂v5/∂v1 · x = −3 · 1 = −3, so far −3" in told[16]
    assert len(set(told)) == 18


def test_every_number_and_every_edge_has_an_element_of_its_own(page):
    chromium = page(readme())
    cells = chromium.find_elements("css selector", "[data-node]")
    found = {(cell.get_attribute("data-node"), cell.get_attribute("data-field")): float(cell.text) for cell in cells}
    root = readme()
    root.backward()
    program = Program(root)
    assert found.keys() == {(name, field) for name in program.names for field in FIELDS}
    assert [found[name, "grad"] for name in program.names] == [node.grad for node in program.nodes]
    edges = chromium.find_elements("css selector", "[data-edge]")
    partials = {f"{program.names[i]}:{k}": operands(program.nodes[i])[k][1] for i, k, _ in program.edges}
    assert {edge.get_attribute("data-edge"): float(edge.text) for edge in edges} == partials


def test_it_is_walked_by_keyboard_alone(page):
    from selenium.webdriver.common.keys import Keys

    chromium = page(readme())
    press(chromium, Keys.HOME)
    assert text(chromium, "#count") == "0 / 17"
    press(chromium, Keys.RIGHT, Keys.RIGHT, Keys.LEFT, "f")
    assert text(chromium, "#count") == "9 / 17"
    press(chromium, "b")
    assert text(chromium, "#count") == "17 / 17"
    for _ in range(60):
        press(chromium, Keys.TAB)
        if chromium.execute_script("return document.activeElement.dataset.box === '2'"):
            break
    assert chromium.execute_script("return document.querySelectorAll('.made-of.node, .used-by.node').length") == 3
    press(chromium, Keys.ENTER)
    assert text(chromium, "#card-head") == "v1"
    assert chromium.execute_script("return document.activeElement.id") == "card"
    press(chromium, Keys.ESCAPE)
    assert chromium.execute_script("return document.activeElement.dataset.box") == "2"
    before = find(chromium, "#graph > svg").get_dom_attribute("viewBox")
    press(chromium, "+")
    assert find(chromium, "#graph > svg").get_dom_attribute("viewBox") != before
    press(chromium, "0")
    assert [float(x) for x in find(chromium, "#graph > svg").get_dom_attribute("viewBox").split()] == pytest.approx(
        [float(x) for x in before.split()], abs=0.01
    )
    field = find(chromium, "#sliders input[type=number]")
    field.clear()
    field.send_keys("7")
    assert state(chromium, "v1") == 7.0
    press(chromium, Keys.HOME)  # in a field, a key is the field's
    assert text(chromium, "#count") == "17 / 17"


def test_a_slider_moves_every_number_and_the_wheel_the_view(page):
    chromium = page(readme())
    chromium.execute_script(
        "const slider = document.querySelector('#sliders input'); slider.value = -1;"
        "slider.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    program = Program(readme())
    compare(chromium, program, {"w": -1.0, "x": 1.0, "b": 0.0, "y": 5.0}, list(range(18)))
    before = find(chromium, "#graph > svg").get_dom_attribute("viewBox")
    chromium.execute_script(
        "document.querySelector('#graph > svg').dispatchEvent(new WheelEvent('wheel', { deltaY: -100, bubbles: true }))"
    )
    assert find(chromium, "#graph > svg").get_dom_attribute("viewBox") != before


def test_the_state_is_in_the_fragment_and_a_link_leads_back_to_it(page):
    chromium = page(readme(), "step=7&w=3&tangent=x&check=1&practice=backward")
    assert chromium.execute_script("return explore.state().step") == 7
    assert (state(chromium, "w"), state(chromium, "v1", "tangent")) == (3.0, 3.0)
    chromium.execute_script("explore.set('b', 0.5); explore.goto(9)")
    wait(chromium).until(lambda _: "b=0.5" in chromium.current_url)
    fragment = set(chromium.current_url.partition("#")[2].split("&"))
    assert fragment == {"step=9", "w=3", "tangent=x", "check=1", "practice=backward", "b=0.5"}
    chromium.execute_script("location.hash = 'step=4&w=8'")
    wait(chromium).until(lambda _: chromium.execute_script("return explore.state().step") == 4)
    assert state(chromium, "w") == 8.0


@pytest.mark.parametrize(
    "fragment", ["step=x&w=&w=nan&tangent=nobody&of=v1&practice=1", "%E0%A4%A", "step=1e9", "&&=&="]
)
def test_a_broken_fragment_does_no_harm(fragment, page):
    chromium = page(readme(), fragment)
    assert (chromium.execute_script("return explore.state().step"), state(chromium, "w", "grad")) == (17, -3.0)


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><b>",
    "a\"b'c",
    "new",
    "this",
    "__proto__",
    "step",
    "{{table}}",
    "∂ x",
    "a~2",
]


def test_hostile_labels_are_text(page):
    values = [Value(1.0 + i, label=label) for i, label in enumerate(HOSTILE)]
    chromium = page(mg.sum(values), "node:step=3&new=5", title="<i>\u202e</script>")
    nodes = chromium.execute_script("return Object.keys(explore.state().nodes)")
    assert set(HOSTILE) - {"__proto__"} <= set(nodes)
    assert (state(chromium, "step"), state(chromium, "new")) == (3.0, 5.0)
    assert "<script>alert(1)</script>" in text(chromium, "#graph")
    assert "\\u202e" in chromium.title
    assert "\u202e" not in chromium.page_source
    assert chromium.execute_script("return document.querySelectorAll('script').length") == 2


def test_two_of_one_label_and_a_number_that_is_met_twice(page):
    a, other = Value(3.0, label="a"), Value(4.0, label="a")
    chromium = page(a + a + other)
    assert state(chromium, "a~2") == 4.0
    sums = []
    for step in range(chromium.execute_script("return explore.steps") + 1):
        chromium.execute_script("explore.goto(arguments[0])", step)
        sums.append(state(chromium, "a", "grad"))
    assert sums == [None] * 7 + [1.0, 2.0]
    assert "used 2 times; this is number 2" in text(chromium, "#step")


def test_what_python_refuses_is_an_error_at_that_number_and_blank_after_it(page):
    x, y = Value(2.0, label="x"), Value(3.0, label="y")
    chromium = page(mg.log(x) * y + x)
    chromium.execute_script("explore.set('x', -1); explore.goto(2)")
    told = text(chromium, "#step")
    assert "v1 = log(x) has no value here: the logarithm takes numbers above 0 only" in told
    for step in range(chromium.execute_script("return explore.steps") + 1):
        chromium.execute_script("explore.goto(arguments[0])", step)
    assert "v1 = log(x) has no value here" in text(chromium, "#step")  # also when its step is over
    nodes = chromium.execute_script("return explore.state().nodes")
    assert {name for name, node in nodes.items() if node["data"] is not None} == {"x", "y"}
    assert all(node["grad"] is None for node in nodes.values())
    shown = text(chromium, "body")
    assert "NaN" not in shown.partition("const inf")[0]
    chromium.execute_script("explore.set('x', 2)")
    assert state(chromium, "x", "grad") == 3.0 / 2.0 + 1.0


def test_an_operation_without_javascript_keeps_its_number_and_locks_its_inputs(page):
    try:

        @rule(over_floats=lambda x: x**3)
        def cubed_by_hand(x):
            return cubed_by_hand(x), 3.0 * x * x

        x, y = Value(2.0, label="x"), Value(1.0, label="y")
        chromium = page(cubed_by_hand(x + 1.0) * y)
        assert "cubed_by_hand" in text(chromium, "#locked")
        assert [box.is_enabled() for box in chromium.find_elements("css selector", "#sliders input")] == [False] * 2 + [
            True
        ] * 2
        with pytest.raises(Exception, match="x cannot be moved: cubed_by_hand has no JavaScript"):
            chromium.execute_script("explore.set('x', 3)")
        chromium.execute_script("explore.set('y', 2)")
        assert (state(chromium, "v3"), state(chromium, "x", "grad")) == (54.0, 54.0)
    finally:
        del RULES["cubed_by_hand"], FUNCTIONS["cubed_by_hand"], KERNELS["cubed_by_hand"]


def test_practice_hides_the_next_number_and_says_what_is_wrong(page):
    from selenium.webdriver.common.keys import Keys

    chromium = page(readme(), "step=0&practice=both")
    assert not find(chromium, "#answer").is_displayed()  # an input is given
    chromium.execute_script("document.getElementById('practice').dispatchEvent(new Event('change'))")
    assert text(chromium, "#question") == "v1 = w * x ="
    assert state(chromium, "v1") is None
    guess = find(chromium, "#guess")
    guess.send_keys("3", Keys.ENTER)
    assert "Not 3. It is v1 = w * x, with w = 2, x = 1" in text(chromium, "#verdict")
    assert state(chromium, "v1") is None
    guess.clear()
    guess.send_keys("4/2", Keys.ENTER)
    assert state(chromium, "v1") == 2.0
    assert text(chromium, "#question") == "v2 = v1 + b ="
    find(chromium, "#next").click()  # is no way around
    assert state(chromium, "v2") is None
    assert text(chromium, "#verdict") == "Type the number, or press Show me."
    for _ in range(12):
        find(chromium, "#reveal").click()
    assert text(chromium, "#score") == "1 right, 12 shown"
    assert text(chromium, "#count") == "17 / 17"


def test_the_check_marks_a_kink_and_nothing_else(page):
    x, y = Value(0.0, label="x"), Value(2.0, label="y")
    chromium = page(mg.relu(x) * y + y * y, "check=1")
    rows = {
        row[0]: row[1:]
        for row in chromium.execute_script(
            "return [...document.querySelectorAll('#differences tr')]"
            ".map((row) => [...row.children].map((cell) => cell.textContent))"
        )
    }
    assert rows["y"] == ["4", "4", "✓"]
    assert rows["x"] == ["0", "1", "✗ a kink or a jump: 0 on the left, 2 on the right"]
    assert sum(row[2].startswith("✗") for row in rows.values()) == 1


def test_it_learns(page):
    chromium = page(readme())
    chromium.execute_script("document.getElementById('learn').open = true")
    find(chromium, "#descend").click()
    assert state(chromium, "w") == 2.0 + 0.05 * 3.0
    assert "w ← 2 − 0.05 · (−3) = 2.15. The result went from 4.5 to 4.061." in text(chromium, "#learnt")


def test_a_networks_parameters_learn_and_its_inputs_do_not(page):
    model = MLP(2, [2, 1], activation="tanh", seed=1)
    x = Value(1.0, label="x")
    chromium = page(mse([model([x, 2.0])], [0.5]))
    find(chromium, "#learn summary").click()
    wait(chromium).until(lambda _: chromium.find_elements("css selector", "#learners label"))
    chosen = chromium.execute_script(
        "return [...document.querySelectorAll('#learners label')].map((x) => [x.textContent, x.firstChild.checked])"
    )
    assert dict(chosen) == {"x": False} | {name: True for name, _ in model.named_parameters()}
    before = state(chromium, chromium.execute_script("return Object.keys(explore.state().nodes).at(-1)"))
    for _ in range(20):
        find(chromium, "#descend").click()
    assert state(chromium, chromium.execute_script("return Object.keys(explore.state().nodes).at(-1)")) < 0.5 * before


def test_the_card_of_an_input_has_its_paths_and_a_curve_with_a_tangent_line(page):
    w, x = Value(2.0, label="w"), Value(3.0, label="x")
    chromium = page(mg.sin(w * x) + w)
    chromium.execute_script("document.querySelector('.node').dispatchEvent(new MouseEvent('click', { bubbles: true }))")
    card = text(chromium, "#card")
    assert "v3 → v2 → v1 → w" in card
    assert "v3 → w" in card
    assert "It is used 2 times" in card
    assert len(chromium.find_elements("css selector", "#card .tangent, #card .curve, #card .point")) == 3
    find(chromium, "#card .link").click()
    assert text(chromium, "#card-head") == "v3"
    assert "return x + y, 1.0, 1.0" in text(chromium, "#card pre")


def test_several_results_and_tangents_as_in_python(page):
    a, b = Value(2.0, tangent=0.5, label="a"), Value(3.0, tangent=-1.0, label="b")
    results = [a * b, a + b]
    chromium = page(results)
    for y in results:
        y.backward()
    assert (state(chromium, "a", "grad"), state(chromium, "b", "grad")) == (a.grad, b.grad)
    assert (state(chromium, "v1", "tangent"), state(chromium, "v2", "tangent")) == (
        results[0].tangent,
        results[1].tangent,
    )
    assert "They agree ✓" in text(chromium, "#check-modes")
    chromium.execute_script(
        "const of = document.getElementById('of'); of.value = 0 + of.options[1].value; of.onchange()"
    )


def test_a_folded_network_shows_what_is_outside_and_steps_through_what_is_inside(page):
    model = MLP(2, [2, 1], activation="tanh", seed=1)
    loss = mse([model([Value(1.0, label="x0"), Value(2.0, label="x1")])], [0.5])
    chromium = page(loss, fold="Layer")
    through = chromium.find_elements("css selector", "[data-through]")
    assert len(through) == 2
    hidden = [h.data for h in model.layers[0]([1.0, 2.0])]
    slopes = mg.grad(lambda h: model.layers[1](h))(hidden)
    assert [float(cell.text) for cell in through] == pytest.approx([bottom(slope) for slope in slopes], rel=1e-3)
    walk(chromium, loss, [("x0", -1.0), ("layers.0.neurons.0.bias", 0.25)])


def test_a_page_of_1000_numbers_opens_and_answers(page):
    y = Value(0.3, label="x")
    for i in range(333):
        y = mg.sin(y + Value(0.01 * i, label=f"w{i}"))
    chromium = page(y)
    inputs = {x.label: x.data for x in tape(y) if not x.rule.name}
    compare(chromium, Program(y), inputs, [500, 1500, 1998])


def test_it_is_legible_in_the_dark_on_a_phone_and_on_paper(page):
    def emulate(width, height, scheme, media=""):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    chromium = page(readme())
    colours = {}
    for scheme in ("light", "dark"):
        emulate(1280, 800, scheme)
        ink, ground = chromium.execute_script(
            "const luminance = (c) => c.match(/\\d+/g).slice(0, 3).map((v) => (v / 255) ** 2.2)"
            "  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);"
            "const style = getComputedStyle(document.body);"
            "return [luminance(style.color), luminance(style.backgroundColor)]"
        )
        colours[scheme] = ground
        assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) > 7.0  # WCAG 2.2, level AAA
    assert colours["dark"] < 0.1 < 0.9 < colours["light"]
    for width, height in ((390, 844), (1280, 720), (768, 1024)):
        emulate(width, height, "light")
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    chromium.execute_script("open(0)")
    emulate(1123, 794, "light", "print")
    pdf = chromium.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})["data"]
    assert base64.b64decode(pdf).count(b"/Type /Page\n") == 1
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_it_speaks_and_every_control_says_what_it_does(page):
    chromium = page(readme())
    unnamed = chromium.execute_script(
        "return [...document.querySelectorAll('button, select, input, summary')].filter((control) =>"
        "  !control.title && !control.closest('label')?.title).map((control) => control.outerHTML)"
    )
    assert unnamed == []
    assert find(chromium, "#step").get_attribute("aria-live") == "polite"
    assert find(chromium, "#step").get_attribute("role") == "status"
    assert chromium.execute_script("return document.querySelectorAll('[style]').length") == 0
    nodes = chromium.find_elements("css selector", "#graph [role=button]")
    assert len(nodes) == 9
    assert "w" in nodes[0].accessible_name
    assert "2" in nodes[0].accessible_name


def test_in_a_notebook_it_is_a_frame_that_may_run_scripts_and_nothing_else(page, chromium, tmp_path):
    chromium = page(readme())
    notebook = tmp_path / "page.html"
    notebook.write_text(f"<!doctype html><meta charset=utf-8>{mg.explore(readme())._repr_html_()}", encoding="utf-8")
    chromium.get(notebook.as_uri())
    frame = find(chromium, "iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts"
    chromium.switch_to.frame(frame)
    chromium.execute_script("explore.set('w', 3); explore.goto(17)")
    assert state(chromium, "w", "grad") == -2.0
    chromium.switch_to.default_content()
