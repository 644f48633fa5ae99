"""`check_engine`: a right engine passes, each mistake is named as what it is, and the stages of the course are told."""

import subprocess
import sys
import types
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import micrograd_plus as mg
from micrograd_plus.__main__ import main
from micrograd_plus.testing import check_engine
from micrograd_plus.testing.engines import Engine
from micrograd_plus.testing.examination import STAGES, Row, as_table, examined

ROOT = Path(__file__).parent.parent
LEARNER = (ROOT / "tests" / "learner.py").read_text(encoding="utf-8")
STEPS = ROOT / "examples" / "build_your_own"


def engine(source, name="learner"):
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(source, vars(module))
    return module.Value


def test_a_right_engine_passes_and_so_does_our_own():
    check_engine(engine(LEARNER), examples=50)
    check_engine(mg.Value, examples=50)


BACKWARD = LEARNER[LEARNER.index("        order, visited") : LEARNER.index("    def __sub__")]
VISIT = "        order, visited = [], set()\n\n        def visit(node):\n{}\n        visit(self)\n"
RECURSIVE = VISIT.format(
    """            if node not in visited:
                visited.add(node)
                for child in node._children:
                    visit(child)
                order.append(node)
"""
)
REST = BACKWARD[BACKWARD.index("        for node in order") :]
SWEEP = "        self.grad += 1.0\n        for node in reversed(order):\n            node._backward()\n\n"
IN_PLACE = """            self.grad += y * out.grad
            other.grad += x * out.grad
"""
MUTANTS = {  # what was done: old text, new text, the ability that must be wrong first, what the table says, and why
    "= for += in +": (
        "            self.grad += out.grad\n            other.grad += out.grad",
        "            self.grad = out.grad\n            other.grad = out.grad",
        "a Value that is used twice", "x + x at x = 0.5: gradient of x 1.0, should be 2.0", "+=",
    ),
    "= for += in *": (
        IN_PLACE, IN_PLACE.replace("+=", "="),
        "a Value that is used twice", "x * x at x = 0.5: gradient of x 0.5, should be 1.0", "+=",
    ),
    "= for += in functions": (
        "self.grad += slope * out.grad", "self.grad = slope * out.grad",
        "gradient of negation", "(-x) + x", "+=",
    ),
    "the gradient that arrives is lost in *": (
        IN_PLACE, IN_PLACE.replace(" * out.grad", ""),
        "the chain rule", "(x * y) * z", "multiply the slope by it",
    ),
    "the gradient that arrives is lost in functions": (
        "self.grad += slope * out.grad", "self.grad += slope",
        "gradient of negation", "(-x) * z", "multiply the slope by it",
    ),
    "backward does not start": (
        "        self.grad += 1.0\n", "",
        "gradient of +", "x + y at x = 3, y = -2: gradient of x 0.0, should be 1.0", "giving the result the gradient 1",
    ),
    "backward with an argument": (
        "def backward(self):", "def backward(self, grad):",
        "gradient of +", "backward raises TypeError: ", "is called without arguments",
    ),
    "factors swapped": (
        IN_PLACE, IN_PLACE.replace("y * out", "z * out").replace("x * out", "y * out").replace("z * out", "x * out"),
        "gradient of *", "gradient of x 3.0, should be -2.0", "the other factor",
    ),
    "no topological order": (
        BACKWARD,
        "        queue, visited = [self], set()\n        self.grad = 1.0\n        for node in queue:\n"
        "            if node not in visited:\n                visited.add(node)\n                node._backward()\n"
        "                queue += node._children\n\n",
        "shared results, in the right order", "gradient of", "only when all of it has arrived",
    ),
    "nodes visited once for each path": (
        BACKWARD,
        "        self.grad = 1.0\n        self._sweep()\n\n    def _sweep(self):\n        self._backward()\n"
        "        for child in self._children:\n            child._sweep()\n\n",
        "shared results, in the right order", "(a := x + y) + a", "only when all of it has arrived",
    ),
    "every path for itself": (
        BACKWARD,
        VISIT.format("            for child in node._children:\n                visit(child)\n"
                     "            order.append(node)\n")
        + "        order = list(dict.fromkeys(order))\n" + REST,
        "60 doublings in time", "twice as long", "Visit each Value once",
    ),
    "visited by equality": (
        "    __radd__ = __add__",
        "    def __eq__(self, other):\n        return self.data == other.data\n\n"
        "    def __hash__(self):\n        return hash(self.data)\n\n    __radd__ = __add__",
        "equal numbers are different Values", "(x * y) * z + (x * y) * w", "compare them by identity",
    ),
    "__eq__ without __hash__": (
        "    __radd__ = __add__",
        "    def __eq__(self, other):\n        return self is other\n\n    __radd__ = __add__",
        "gradient of +", "unhashable", None,
    ),
    "the sign of -": (
        "return self + -(other", "return self + (other",
        "values of -, / and negation", "x - y at x = 3, y = -2: value 1.0, should be 5.0", "x + (-y)",
    ),
    "the slope of -x": (
        "(-self.data, -1.0)", "(-self.data, 1.0)",
        "gradient of negation", "-x at x = 3: gradient of x 1.0, should be -1.0", "The slope of -x",
    ),
    "2 - x as x - 2": (
        "        return Value(other) - self", "        return self - other",
        "numbers on the left", "2.0 - x at x = 3: value 1.0, should be -1.0", "x.__rsub__(2)",
    ),
    "no __radd__": (
        "    __radd__ = __add__\n", "",
        "numbers on the left", None, None,
    ),
    "n where n - 1 belongs": (
        "n * self.data ** (n - 1) if n else 0.0", "n * self.data**n",
        "powers", "x ** 2.0 at x = 1.7: gradient of x", "n · x**(n - 1)",
    ),
    "0 to the power of -1": (
        "n * self.data ** (n - 1) if n else 0.0", "n * self.data ** (n - 1)",
        "powers at 0", "x ** 0 at x = 0: raises ZeroDivisionError", "where 0 · 0**-1 is no number",
    ),
    "a power by logarithms": (
        "self.data**n, n *", "math.exp(n * math.log(self.data)) if n > 0 else self.data**n, n *",
        "powers of negative numbers", "x ** 2 at x = -2: raises ValueError", "no logarithm",
    ),
    "1 - t for tanh": (
        "1.0 - t * t", "1.0 - t",
        "tanh(x)", "tanh(x) at x = -0.7: gradient of x", "1 - t²",
    ),
    "the operand for exp": (
        "return self._function(out, out)", "return self._function(out, self.data)",
        "exp(x)", "exp(x) at x = -0.7: gradient of x -0.7", "not the operand",
    ),
    "the result for log": (
        "1.0 / self.data)", "1.0 / math.log(self.data))",
        "log(x)", "log(x) at x = 0.3: gradient of x", "not of the result",
    ),
    "relu passes all": (
        "float(self.data > 0.0)", "1.0",
        "relu(x)", "relu(x) at x = -0.7: gradient of x 1.0, should be 0.0", "nothing where it is below",
    ),
    "sigmoid overflows": (
        "0.5 + 0.5 * math.tanh(0.5 * self.data)", "1.0 / (1.0 + math.exp(-self.data))",
        "large and tiny numbers", "sigmoid(x) at x = -1000: raises OverflowError", "exp of -|x|",
    ),
    "stale gradients between": (
        REST, SWEEP,
        "a second backward", "backward twice: gradient of x -54.0, should be -24.0 or -12.0", "must start from 0",
    ),
    "recursion": (
        BACKWARD, RECURSIVE + REST,
        "a chain of 10,000 operations", "RecursionError", "Python ends at 1,000",
    ),
    "a step of descent in backward": (
        "            node._backward()\n", "            node._backward()\n        for node in order:\n"
        "            node.data -= 0.0 if node._children else 0.1 * node.grad\n",
        "gradient of +", "x + y at x = 3, y = -2: after backward, x is 2.9", None,
    ),
    "numbers read too late": (
        IN_PLACE, IN_PLACE.replace("y *", "other.data *").replace("x *", "self.data *"),
        "the numbers of the moment", "x.data = 100; y.backward() at x = 3: gradient of x 200.0, should be 6.0",
        "do not read x.data later",
    ),
    "half of the product rule": (
        "self.tangent * y + x * other.tangent", "self.tangent * y",
        "forward mode", "x * y at x = 0.5, y = -2, x' = 1, y' = 10: tangent -2.0, should be 3.0", "both factors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mistake_is_found_and_named_as_what_it_is(name):
    old, new, ability, text, why = MUTANTS[name]
    assert LEARNER.count(old) == 1
    rows = examined(Engine(engine(LEARNER.replace(old, new)), examples=1))
    if ability == "numbers on the left" and text is None:  # what is not there is no mistake, but it is told
        row = next(row for row in rows if row.ability == ability)
        assert row.mark == "–"
        assert "2.0 + x raises TypeError" in row.failure
        return
    first = next(row for row in rows if row.mark == "✗")
    assert first.ability == ability
    assert text in first.failure
    assert why is None or why in first.why


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("2 - x as x - 2", 2),
        ("factors swapped", 3),
        ("the gradient that arrives is lost in *", 4),
        ("= for += in *", 5),
        ("no topological order", 6),
        ("n where n - 1 belongs", 7),
        ("1 - t for tanh", 8),
        ("numbers read too late", 9),
        ("recursion", 10),
        ("half of the product rule", 11),
    ],
)
def test_a_mistake_fails_the_stage_that_it_belongs_to_and_none_before(name, stage):
    old, new, *_ = MUTANTS[name]
    tried = Engine(engine(LEARNER.replace(old, new)), examples=1)
    assert {row.mark for row in examined(tried, stage - 1)} <= {"✓", "–"}
    failed = [row.stage for row in examined(tried, stage) if row.mark == "✗"]
    assert failed
    assert set(failed) == {stage}


@pytest.mark.parametrize(
    ("old", "new", "ability", "failure"),
    [
        (
            "return Value(other) / self", "return Value(Value(other).data) / self.data",
            "gradients with numbers on either side",
            "2.0 / x at x = 3: gradient of x 0.0, should be -0.2222222222222222",
        ),
        (
            "            node._backward()\n",
            "            node._backward()\n        if len(order) == 5:\n            self.data += 1.0\n",
            "backward changes no number",
            "(a := x * y) * x + a at x = 3, y = -2: after backward, the result is -23.0, should be -24.0",
        ),
        (
            "            node._backward()\n",
            "            node._backward()\n"
            "        for node in order[:-1]:\n            node.data += bool(node._children)\n",
            "backward changes no number",
            "(a := x * y) * x + a at x = 3, y = -2: after backward, a is -5.0, should be -6.0",
        ),
    ],
)  # fmt: skip
def test_a_mistake_that_other_rows_cannot_see_is_seen_in_its_own(old, new, ability, failure):
    assert LEARNER.count(old) == 1
    rows = examined(Engine(engine(LEARNER.replace(old, new)), examples=1))
    assert next((row.ability, row.failure) for row in rows if row.mark == "✗") == (ability, failure)


def test_a_backward_that_starts_the_gradients_anew_is_right_too():
    source = LEARNER.replace(
        "            if node._children:\n                node.grad = 0.0", "            node.grad = 0.0"
    )
    rows = examined(Engine(engine(source), examples=5))
    assert [row.failure for row in rows if row.mark == "✗"] == []
    assert "one input in several graphs" in [row.ability for row in rows if row.mark == "✓"]


def test_numbers_that_cannot_be_set_are_not_read_too_late():
    fixed = "    @property\n    def data(self):\n        return self._data\n\n    def __add__"
    source = LEARNER.replace("self.data = data", "self._data = data").replace("    def __add__", fixed, 1)
    row = next(
        row for row in examined(Engine(engine(source), examples=1)) if row.ability == "the numbers of the moment"
    )
    assert row.mark == "–"
    assert row.failure.startswith("the number of a Value cannot be set: AttributeError: ")


def test_forward_mode_is_tried_on_what_there_is():
    source = LEARNER.replace("__sub__", "minus").replace("__rsub__", "minus_from").replace("__truediv__", "over")
    row = next(row for row in examined(Engine(engine(source), examples=1)) if row.ability == "forward mode")
    assert row.mark == "✓"
    source = source.replace("self.tangent * slope", "self.tangent * abs(slope)")
    row = next(row for row in examined(Engine(engine(source), examples=1)) if row.ability == "forward mode")
    assert row.failure == "-x at x = 0.5, x' = 1: tangent 1.0, should be -1.0"


def test_what_only_random_programs_find_is_shrunk_to_the_smallest():
    deep = "slope * (1.01 if self._children and self._children[0]._children else 1.0) * out.grad"  # of three in a row
    source = LEARNER.replace("slope * out.grad", deep)
    with pytest.raises(AssertionError) as caught:
        check_engine(engine(source))
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        "check_engine: 1 ability of Value is wrong",
        "  random programs: -(-(-x)) at x = 0: gradient of x -1.01, should be -1.0",
    ]


def test_an_engine_with_half_the_digits_is_held_to_these():
    single = "self.data = struct.unpack('f', struct.pack('f', data))[0]"
    source = "import struct\n" + LEARNER.replace("self.data = data", single, 1)
    rows = examined(Engine(engine(source), examples=50))
    assert [row.failure for row in rows if row.mark == "✗"] == []
    rows = examined(Engine(engine(source.replace("1.0 - t * t", "1.001 - t * t")), examples=1))
    assert next(row.ability for row in rows if row.mark == "✗") == "tanh(x)"


def test_an_engine_with_all_digits_is_held_to_these():
    rows = examined(Engine(engine(LEARNER.replace("1.0 - t * t", "1.00000001 - t * t")), examples=1))
    assert next(row.ability for row in rows if row.mark == "✗") == "tanh(x)"


def test_a_chain_is_tried_up_to_10_000_operations():
    short = "visited.add(node)\n                if len(visited) > 5000:\n                    raise RecursionError"
    rows = examined(Engine(engine(LEARNER.replace("visited.add(node)", short)), examples=1))
    (row,) = [row for row in rows if row.mark == "✗"]
    assert (row.ability, row.failure) == (
        "a chain of 10,000 operations", "10,000 times y = y + c: backward raises RecursionError",
    )  # fmt: skip


def test_what_is_offered_is_tried_also_if_the_rest_of_the_row_is_not_there():
    source = LEARNER.replace("__sub__", "minus").replace("__rsub__", "minus_from")
    wrong = "return self * other.data if isinstance(other, Value) else self"
    source = source.replace(
        "__radd__ = __add__", f"def __truediv__(self, other):\n        {wrong}\n\n    __radd__ = __add__"
    )
    row = next(row for row in examined(Engine(engine(source), examples=1)) if row.ability == "numbers on the right")
    assert (row.mark, row.failure) == ("✗", "x / 2.0 at x = 3: value 3.0, should be 1.5")


def test_names_can_be_mapped():
    source = LEARNER.replace("grad", "slope_of_it").replace("data", "number").replace("def exp", "def e_to_the")
    with pytest.raises(TypeError, match=r"has no attribute data, value, val; data='\.\.\.' tells"):
        check_engine(engine(source))
    value = engine(source)
    check_engine(value, data="number", grad="slope_of_it", exp=lambda v: v.e_to_the(), examples=5)
    rows = examined(Engine(value, data="number", grad="slope_of_it", examples=1))
    assert next(row.mark for row in rows if row.ability == "exp(x)") == "–"


def test_gradients_may_be_values_and_values_of_values():
    value = engine(LEARNER)
    rows = examined(Engine(value, grad=lambda v: value(value(v.grad)), examples=5))
    assert [row.failure for row in rows if row.mark == "✗"] == []
    assert {"a second loss over a shared part", "from 0 again"} <= {row.ability for row in rows if row.mark == "–"}
    rows = examined(Engine(value, grad=lambda v: value(value(2.0 * v.grad)), examples=1), 3)
    assert rows[-1].failure == "x * y at x = 3, y = -2: gradient of x -4.0, should be -2.0"


def test_what_is_no_class_of_values_is_refused():
    with pytest.raises(TypeError, match="expected the class of your Values, got 3"):
        check_engine(3)
    with pytest.raises(TypeError, match=r"make=lambda x: \.\.\. tells how to make a Value"):
        check_engine(lambda: None)
    with pytest.raises(ValueError, match="stage must be a whole number from 1 to 12, got 13"):
        check_engine(mg.Value, stage=13)


@pytest.mark.parametrize("stage", range(1, STAGES + 1))
def test_our_solution_of_each_stage_passes_it_and_fails_the_next(stage):
    value = engine((STEPS / f"stage{stage}.py").read_text(encoding="utf-8"), f"stage{stage}")
    assert all(row.mark in "✓–" for row in examined(Engine(value, examples=20), stage))
    if stage < STAGES:
        rows = examined(Engine(value, examples=20), stage + 1)
        assert {row.stage for row in rows if row.mark == "✗"} == {stage + 1}


def test_the_last_stage_passes_everything_and_the_shortest_engine_what_it_has():
    value = engine((STEPS / "stage12.py").read_text(encoding="utf-8"), "last")
    assert [row.failure for row in examined(Engine(value, examples=50), STAGES) if row.mark not in "✓–"] == []
    tiny = engine((ROOT / "examples" / "tiny.py").read_text(encoding="utf-8"), "tiny")
    assert {row.ability for row in examined(Engine(tiny, examples=50), STAGES) if row.mark == "✓"} >= {
        *["the chain rule", "a Value that is used twice", "shared results, in the right order"],
        *["exp(x)", "sin(x)", "random programs", "forward mode", "forward = reverse"],
    }


def test_derivatives_may_be_numbers_or_values():
    source = (STEPS / "stage12.py").read_text(encoding="utf-8")
    source += """

def boxed(f):
    d = derivative_of(f)
    return lambda x: Value(y) if isinstance(y := d(x), float) else y

derivative_of, derivative = derivative, boxed
"""
    rows = examined(Engine(engine(source, "boxed"), examples=1), STAGES)
    assert {row.mark for row in rows if row.ability == "derivative and grad"} == {"✓"}


# The command line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "end"), [(None, ""), (11, "; stage 11 of 12 is done"), (12, "; all stages are done")]
)
def test_the_end_of_the_table_says_how_far_one_is(stage, end):
    text = as_table("mine.py:Value", [Row(1, "values of + and *", "✓"), Row(2, "numbers on the left", "✓")], stage)
    assert text.endswith(f"\n  all 2 right{end}")


def test_the_command_line_prints_a_table_and_its_status_tells(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(LEARNER.replace("1.0 - t * t", "1.0 - t"), encoding="utf-8")
    assert main(["check", f"{file}:Value"]) == 1
    text = capsys.readouterr().out
    assert "   8  ✗  tanh(x)\n         tanh(x) at x = -0.7: gradient of x 1.60436" in text
    assert "The slope of tanh is 1 - t², where t is the result." in text
    assert "not offered: sqrt(x)" in text
    assert main(["check", f"{file}:Value", "--stage", "7"]) == 0
    assert "all 18 right; stage 7 of 12 is done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine.py"], "expected a file and a class, as in mine.py:Value"),
        (["nowhere.py:Value"], "there is no file nowhere.py"),
        (["micrograd_plus:Nothing"], "micrograd_plus has no Nothing"),
        (["micrograd_plus:Value", "--stage", "0"], "stage must be a whole number from 1 to 12, got 0"),
        (["micrograd_plus.nowhere:Value"], "importing it raises ModuleNotFoundError"),
        (["micrograd_plus:sin"], "has no attribute data"),
        ([":Value"], "expected a file and a class, as in mine.py:Value"),
        (["mine.py:a b"], "expected a file and a class, as in mine.py:Value"),
        ([], "the following arguments are required: FILE:CLASS"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_line(words, message, capsys):
    assert main(["check", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("line", ["raise ValueError('oh')", "raise SystemExit(0)", "1 / 0", "class Value"])
def test_a_file_that_cannot_be_run_is_told(line, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(line + "\n", encoding="utf-8")
    assert main(["check", f"{tmp_path}/mine.py:Value"]) == 2
    assert "mine.py:Value: importing it raises " in capsys.readouterr().err


def test_a_file_may_be_called_as_a_module_of_python_s(tmp_path):
    import numbers

    (tmp_path / "numbers.py").write_text(LEARNER, encoding="utf-8")
    assert main(["check", f"{tmp_path}/numbers.py:Value", "--stage", "1"]) == 0
    assert sys.modules["numbers"] is numbers
    assert PathFinder.find_spec("numbers").origin == numbers.__file__  # which a process that is started would find


def test_a_file_may_import_the_one_beside_it(tmp_path):
    (tmp_path / "the_one_beside.py").write_text(LEARNER, encoding="utf-8")
    (tmp_path / "mine.py").write_text("from the_one_beside import Value\n", encoding="utf-8")
    assert main(["check", f"{tmp_path}/mine.py:Value", "--stage", "1"]) == 0


def test_a_variable_may_still_be_called_check(capsys):
    assert main(["check", "check=3"]) == 0
    assert "d/dcheck" in capsys.readouterr().out


def test_without_hypothesis_it_says_what_to_install():
    program = "import sys; sys.modules['hypothesis'] = None; from micrograd_plus.__main__ import main; " \
              "sys.exit(main(['check', 'micrograd_plus:Value']))"  # fmt: skip
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2
    assert "it needs hypothesis: pip install hypothesis, or in a clone" in result.stderr
