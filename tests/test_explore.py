"""The page and the explanation, from Python's side; what the page does in a browser is in test_explore_browser.py."""

import html
import importlib
import inspect
import json
import re
import subprocess
import sys
import webbrowser
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.explore import Page, explain, explore
from micrograd_plus.explore.page import names_of
from micrograd_plus.machinery.digits import times
from micrograd_plus.nn import MLP
from micrograd_plus.tape import operands, tape
from micrograd_plus.testing.strategies import expressions, points

OUT = "a number inside a transform or a program"


def readme():
    w, x, b, y = [Value(z, label=name) for z, name in ((2.0, "w"), (1.0, "x"), (0.0, "b"), (5.0, "y"))]
    return w, 0.5 * (w * x + b - y) ** 2


def table(page):
    return json.loads(re.search(r'<script type="application/json" id="table">(.*?)</script>', page.html)[1])


# The page -------------------------------------------------------------------------------------------------------------


def test_the_readmes_expression_is_one_small_file_that_asks_for_nothing(tmp_path):
    page = explore(readme()[1])
    assert page.save(tmp_path / "page.html") == str(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text == page.html
    assert len(text.encode()) < 100_000
    assert page.names == ["w", "x", "v1", "b", "v2", "y", "v3", "v4", "v5"]
    assert "<title>0.5 * (w * x + b - y) ** 2</title>" in text
    assert re.findall(r"(?:src|href|action|style)=\S*|url\(|@import|\beval\b|new Function", text) == ['href="data:,">']
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_its_policy_allows_its_own_script_and_style_and_no_others():
    text = explore(readme()[1]).html
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_table_has_the_tape_and_only_the_rules_that_occur():
    told = table(explore(readme()[1]))
    assert [rule["name"] for rule in told["rules"]] == ["mul", "add", "sub", "pow"]
    assert told["rules"][0]["source"] == "def mul(x, y): return x * y, y, x"
    power = next(form for form in told["forms"] if form["text"] == "{0} ** {1}")
    assert power["partials"] == ["2 * {0}", ""]
    assert told["nodes"][7] == {"name": "v4", "form": told["nodes"][7]["form"], "of": [6, "2.0"]}
    assert told["outputs"] == [8]


def test_every_text_and_shape_of_the_drawing_keeps_its_place():
    page = explore(readme()[1]).html
    for tag, key, least in (("text", "x", 60), ("text", "y", 60), ("polygon", "points", 12), ("path", "d", 12)):
        assert len(re.findall(f"<{tag} ", page)) == len(re.findall(rf'<{tag} [^>]*\b{key}="', page)) > least


def test_names_are_labels_or_numbers_and_no_two_are_the_same():
    labels = ["x", "", "v1", "x", "x~2", "", "x", "a\u202eb", "v2"]
    names = names_of([Value(1.0, label=label) for label in labels])
    assert names == ["x", "v3", "v1", "x~3", "x~2", "v4", "x~4", r"a\u202eb", "v2"]


def test_what_changed_after_the_result_was_computed_is_named():
    w, loss = readme()
    loss.backward()
    w.data -= 0.1
    with pytest.raises(
        ValueError, match=r"explore: w \* x is 2\.0, but its operands give 1\.9 now: .* compute the result"
    ):
        explore(loss)
    x = Value(2.0, label="x")
    y = mg.log(x)
    x.data = -1.0
    with pytest.raises(ValueError, match=r"explore: log\(x\) is .* compute the result again"):
        explore(y)


@pytest.mark.parametrize("root", [3.0, [], "x", [Value(1.0), 2.0], None])
def test_what_is_no_value_is_refused(root):
    with pytest.raises(TypeError, match=r"^explore: expected a Value or a list of Values, got "):
        explore(root)


def test_a_number_of_a_transform_or_of_jit_is_refused():
    with pytest.raises(TypeError, match=OUT):
        mg.grad(lambda x: explore(x * x))(2.0)
    with pytest.raises(TypeError, match="explore: inside jit the numbers are not known yet"):
        mg.jit(lambda x: explore(x * x))(2.0)


def test_too_many_nodes_are_told_with_the_ways_out():
    with pytest.raises(ValueError, match=r"^explore: 13 nodes are more than max_nodes=9: .*fold"):
        explore(readme()[1] * Value(1.0), max_nodes=9)


def test_no_half_of_a_file_is_left_where_it_cannot_be_written(tmp_path):
    page = explore(readme()[1])
    (tmp_path / "old.html").write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="No such file"):
        page.save(tmp_path / "nowhere" / "page.html")
    with pytest.raises(OSError, match="directory"):
        page.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


def test_labels_do_not_end_the_script_or_the_title():
    label = '</script><script>alert("1")</script>&amp;\u2028'
    page = explore(Value(1.0, label=label) * 2.0, title="</title><b>")
    assert page.html.count("<script") == page.html.count("</script>") == 2
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in page.html
    assert table(page)["nodes"][0]["name"] == label.replace("\u2028", r"\u2028")


def test_numbers_that_json_has_not_arrive():
    page = explore(Value(float("inf"), label="x") * float("-inf") + float("nan"))
    assert [node.get("data") for node in table(page)["nodes"]] == ["Infinity", None, None]
    assert [node.get("of") for node in table(page)["nodes"]] == [None, [0, "-Infinity"], [1, "NaN"]]


def test_show_opens_a_file_and_says_where_there_is_no_browser(monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    explore(readme()[1]).show()
    assert opened[0].startswith("file:///")
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    with pytest.raises(OSError, match=r"there is no browser here; write the page by \.save\('page\.html'\)"):
        explore(readme()[1]).show()


def test_in_a_notebook_it_is_a_frame_without_rights():
    page = explore(readme()[1])
    frame = page._repr_html_()
    assert html.unescape(re.search('srcdoc="([^"]*)"', frame)[1]) == page.html
    assert 'sandbox="allow-scripts"' in frame
    assert repr(page).startswith("<a page of 9 numbers, ")


def test_modules_can_be_framed_and_folded_and_their_parameters_learn():
    x = Value(1.0, label="x")
    loss = MLP(1, [2, 1], seed=1)([x]) ** 2
    for options in ({}, {"groups": True}, {"fold": "Neuron"}, {"fold": True}):
        told = table(explore(loss, **options))
        assert {node["name"] for node in told["nodes"] if node.get("learns")} == {
            *(f"layers.{i}.neurons.{j}.{p}" for i, j, p in [(0, 0, "bias"), (0, 1, "bias"), (1, 0, "bias")]),
            *(f"layers.0.neurons.{j}.weights.0" for j in range(2)),
            *(f"layers.1.neurons.0.weights.{j}" for j in range(2)),
        }
        assert len(told["homes"]) == len(told["nodes"])
    with pytest.raises(ValueError, match=r"^explore: fold='Conv', but the modules of this graph are"):
        explore(loss, fold="Conv")


def test_the_function_stays_the_function_after_its_modules_are_imported():
    for name in ("explore", "explore.page", "explore.explain"):
        module = importlib.import_module(f"micrograd_plus.{name}")
        assert mg.explore is explore
        assert mg.explain is explain
        assert sys.modules[f"micrograd_plus.{name}"] is module
    program = "import micrograd_plus.explore.page, micrograd_plus as mg; mg.explore(mg.Value(1.0)); mg.explore.__call__"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nothing_of_a_value_changes():
    w, loss = readme()
    loss.backward()
    before = [(x.data, x.grad, x.tangent, x.label) for x in tape(loss)]
    explore(loss)
    explain(w, loss)
    assert [(x.data, x.grad, x.tangent, x.label) for x in tape(loss)] == before


def test_each_arrow_says_which_boxes_it_joins():
    _, loss = readme()
    page = explore(loss)
    nodes, homes = table(page)["nodes"], table(page)["homes"]
    joined = {(homes[i], homes[j]) for j, row in enumerate(nodes) for i in row.get("of", ()) if isinstance(i, int)}
    arrows = re.findall(r'data-from="(\d+)" data-to="(\d+)"', page.html)
    assert {(int(tail), int(head)) for tail, head in arrows if tail != head} == joined  # a constant is in the same box


def test_a_slope_stands_in_the_middle_of_its_arrow():
    page = explore(mg.sin(Value(1.0, label="x"))).html
    tail, head = [part.split("</g>")[0] for part in page.split('<g class="node"')[1:]]
    ends = [[float(x) for x in re.findall(r"(-?[\d.]+),-", part)] for part in (tail, head)]
    middle = re.search(r'text-anchor="middle" x="([\d.]+)"[^>]*><tspan>∂ ', page)[1]
    assert float(middle) == pytest.approx((max(ends[0]) + min(ends[1])) / 2, abs=5.0)


def test_a_page_says_how_large_it_is():
    assert repr(Page(["x", "y"], "π" * 20_000)).startswith("<a page of 2 numbers, 40.0 kB: ")


def test_a_page_takes_as_many_nodes_as_a_drawing():
    most = [inspect.signature(function).parameters["max_nodes"].default for function in (explore, mg.draw_dot)]
    assert most == [2000, 2000]


@pytest.mark.parametrize(
    ("results", "title"),
    [
        (lambda x: [x * x], "x * x"),
        (lambda x: [mg.sin(x), x + 1.0], "v1, v2, from 3 numbers"),
        (lambda x: [x + i for i in range(8)], "v1, v2, v3, v4, v5, v6, v7, v8, from 9 numbers"),
        (lambda x: [x + i for i in range(9)], "v1, v2, v3, v4, v5, v6, v7, v8, ..., from 10 numbers"),
    ],
)
def test_a_page_without_a_title_is_called_by_its_formula_or_its_results(results, title):
    page = explore(results(Value(1.0, label="x")))
    assert re.search("<title>(.*?)</title>", page.html)[1] == title


def test_a_formula_of_more_than_sixty_characters_is_no_title():
    def title(name):
        page = explore(mg.sin(Value(1.0, label=name)) * Value(2.0, label="x"))
        return re.search("<title>(.*?)</title>", page.html)[1]

    assert title("a" * 51) == f"sin({'a' * 51}) * x"
    assert title("a" * 52) == "v2, from 4 numbers"


def test_a_page_shows_itself():
    assert Page(["x"], "<p>").html == "<p>"


# The explanation ------------------------------------------------------------------------------------------------------


def test_a_gradient_is_the_sum_over_its_uses_and_over_its_paths():
    w, loss = readme()
    assert str(explain(w, loss)).splitlines() == [
        "w = 2, an input",
        "∂v5/∂w = -3",
        "",
        "It is used once:",
        "  ∂v5/∂v1 · ∂v1/∂w = -3 · 1 = -3     v1 = w * x, ∂v1/∂w = x",
        "",
        "One path leads to it:",
        "  v5 → v4 → v3 → v2 → v1 → w: 0.5 · (-6) · 1 · 1 · 1 = -3",
    ]


def test_in_a_product_a_later_factor_is_in_parentheses_if_it_is_negative():
    x = Value(2.0, label="x")
    y = (x * 0.5) * -0.25 * 0.5
    y.backward()
    assert "0.5 · (-0.25) · 0.5 = -0.0625" in str(explain(x, y))


def test_a_number_between_says_what_made_it_and_the_result_that_it_is_the_result():
    _, loss = readme()
    lines = str(explain(tape(loss)[-2], loss)).splitlines()
    assert lines[:3] == ["v4 = 9, made by v3 ** 2", "∂v4/∂v3 = 2 * v3 = -6", "∂v5/∂v4 = 0.5"]
    assert "∂v5/∂v5 = 1: it is the result itself" in explain(loss, loss)


@settings(max_examples=30)
@given(data=st.data())
def test_the_shares_of_a_random_expression_add_up_to_the_gradient(data):
    f = data.draw(expressions(smooth=False))
    values = [Value(x, label=name) for name, x in zip(f.variables, data.draw(points(f)), strict=True)]
    root = f(*values)
    nodes = tape(root)
    root.backward()
    w = data.draw(st.sampled_from(nodes))
    text = str(explain(w, root))
    assert f"= {w.grad:.6g}" in text
    uses = [(node, p) for node in nodes for x, p in operands(node) if x is w and p is not None]
    assert text.count("  ∂") == len(uses)
    for node, partial in uses:
        assert f" = {times(node.grad, partial):.6g}" in text
    paths = dict.fromkeys(nodes, 0) | {root: 1}
    for node in reversed(nodes):
        for x, partial in operands(node):
            if partial is not None:
                paths[x] += paths[node]
    if not w.rule.name and w is not root:
        assert text.count(" → ") > 0 if paths[w] <= 12 and len(nodes) < 100 else " → " not in text


def test_more_than_12_paths_are_not_written_out():
    x = Value(1.0, label="x")
    y = x
    for _ in range(60):
        y = y + y  # 2**60 paths
    assert "path" not in explain(x, y)
    assert "12 paths lead to it" in explain(x, mg.sum([x] * 12))
    assert "path" not in explain(x, mg.sum([x] * 13))
    assert "∂v60/∂x = 1.15292e+18" in explain(x, y)


@pytest.mark.parametrize("steps", [100, 101])
def test_a_path_of_more_than_100_steps_is_not_written_out(steps):
    x = Value(1.0, label="x")
    y = x
    for _ in range(steps):
        y = y + 1.0
    assert ("One path leads to it" in explain(x, y)) == (steps == 100)


def test_in_latex_it_is_a_formula():
    w, loss = readme()
    slope = r"\frac{\partial %s}{\partial %s}"
    assert str(explain(w, loss, format="latex")).splitlines() == [
        r"\begin{align*}",
        rf"{slope % ('v_{5}', 'w')} &= {slope % ('v_{5}', 'v_{1}')} \cdot {slope % ('v_{1}', 'w')} \\",
        r"  &= -3 \cdot 1 \\",
        r"  &= -3",
        r"\end{align*}",
    ]
    odd = Value(-1e-7, label=r"a_b\$~")
    assert r"\mathrm{a\_b\backslash{}\$\sim{}}" in explain(odd, odd * odd, format="latex")
    assert r"(-1 \cdot 10^{-7})" in explain(odd, odd * odd, format="latex")


def test_matplotlib_reads_the_latex():
    mathtext = pytest.importorskip("matplotlib.mathtext")
    w, loss = readme()
    for line in str(explain(w, loss, format="latex")).splitlines()[1:-1]:
        mathtext.MathTextParser("path").parse(f"${line.replace('&', '').replace(chr(92) * 2, '')}$")


def test_what_cannot_be_explained_is_told():
    w, loss = readme()
    with pytest.raises(ValueError, match=r"explain: .* was not made of "):
        explain(Value(1.0), loss)
    with pytest.raises(ValueError, match="format must be text or latex, got 'html'"):
        explain(w, loss, format="html")
    with pytest.raises(TypeError, match="explain: expected a Value"):
        explain(2.0, loss)
    with pytest.raises(TypeError, match="not inside a transform"):
        mg.grad(lambda x: explain(x, x * x))(2.0)
