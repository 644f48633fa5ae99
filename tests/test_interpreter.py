"""The interpreter of recorded programs: its operations, the code that is written, batches, threads, what is kept."""

import itertools
import math
import os
import random
import subprocess
import sys
import threading
from math import inf, nan, sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="NumPy is not installed")
numba = pytest.importorskip("numba", reason="numba is not installed")

from micrograd_plus import instructions, interpreter  # noqa: E402
from micrograd_plus.functions import KERNELS  # noqa: E402
from micrograd_plus.instructions import Interpreter, by_numba  # noqa: E402
from micrograd_plus.interpreter import compiled  # noqa: E402
from micrograd_plus.rules import RULES, Rule  # noqa: E402

ROOT = Path(__file__).parent.parent
EDGES = [0.0, -0.0, 0.3, -0.7, 1.0, -1.0, 2.0, -2.5, 26.0, -39.0, 710.0, -746.0, 5e-324, -2e-308, 1e-170, 1e155, -1e300]
EDGES += [inf, -inf, nan]
SIGNS = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}
SIGNS |= {"==": float.__eq__, "!=": float.__ne__, "and": lambda x, y: bool(x and y), "or": lambda x, y: bool(x or y)}
OPERATIONS = [name for name, rule in RULES.items() if not rule.sequences] + [*SIGNS, "where"]


class Node:
    """What the interpreter wants of a symbol. As with symbols, a comparison of two is no bool."""

    def __init__(self, index, operation, *operands, label=""):
        self.index, self.operation, self.operands, self.label = index, operation, operands, label

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise TypeError("symbols are not to be compared")


def inputs_of(n):
    return [Node(k, "", f"x{k}") for k in range(n)]


def eager(name, *x):
    """The operation by the kernels over floats; what raises there is no finite number."""
    if name == "where":
        return x[1] if x[0] else x[2]
    if name in SIGNS:
        return float(SIGNS[name](*x))
    try:
        return float(eval(RULES[name].program(["x", "y"][: len(x)]), dict(KERNELS, **dict(zip("xy", x, strict=False)))))
    except (ValueError, ArithmeticError):
        return None


def arity(name):
    return 3 if name == "where" else 2 if name in SIGNS or "{y}" in RULES[name].template else 1


def same(x, y):
    """Equal to the last bit, but that nan is nan."""
    return np.array_equal(np.asarray(x), np.asarray(y), equal_nan=True) and np.array_equal(
        np.signbit(x) & ~np.isnan(x), np.signbit(y) & ~np.isnan(y)
    )


# Every operation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_what_its_kernel_is_also_at_the_edges(name):
    inputs = inputs_of(arity(name))
    y = Node(10, name, *inputs)
    run = compiled([y], inputs, [y], ["stack"]).buffer()
    for operands in itertools.product(EDGES, repeat=len(inputs)):
        run.inputs[:] = operands
        run()
        (result,), expected = run.outputs.tolist(), eager(name, *operands)
        if expected is None:
            assert not math.isfinite(result), operands
        elif math.isfinite(expected) and expected:
            assert result == pytest.approx(expected, rel=1e-13, abs=1e-322), operands
        else:
            assert same(result, expected), operands


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_over_lanes_is_that_over_numbers_whichever_of_its_operands_are_arrays(name):
    inputs = inputs_of(arity(name))
    y = Node(10, name, *inputs)
    machine = compiled([y], inputs, [y], ["stack"])
    run = machine.buffer()
    grid = np.empty([len(EDGES)] * len(inputs))
    for place in np.ndindex(grid.shape):
        run.inputs[:] = [EDGES[k] for k in place]
        run()
        grid[place] = run.outputs[0]
    for kinds in itertools.product(["number", "array"], repeat=len(inputs)):
        axes = [i for i, kind in enumerate(kinds) if kind == "array"]
        for place in [(3, 8, 2), (19, 1, 7)] if axes else []:
            leaves = [EDGES[k] for k in place[: len(inputs)]]
            for i in axes:
                leaves[i] = np.array(EDGES).reshape([-1 if i == j else 1 for j in axes])
            expected = grid[tuple([slice(None) if i in axes else k for i, k in enumerate(place[: len(inputs)])])]
            assert same(machine(leaves)[0], expected), (kinds, place)


def test_a_sum_of_products_rounds_each_product_and_each_sum():
    x, y, z = inputs = inputs_of(3)
    product = Node(3, "mul", x, y)
    total = Node(4, "add", z, product)
    machine = compiled([product, total], inputs, [total], ["stack"])
    assert "x0 * x1 + x2" in machine.source
    a, b = 1.0 + 2.0**-30, 1.0 - 2.0**-30  # the product is 1 - 2**-60, which rounds to 1
    assert machine([a, b, -1.0]) == [0.0]
    for arrays in itertools.product([False, True], repeat=3):
        leaves = [np.full(9, v) if is_array else v for is_array, v in zip(arrays, (a, b, -1.0), strict=True)]
        assert np.all(machine(leaves)[0] == 0.0)


# Random programs ------------------------------------------------------------------------------------------------------

# Operations that round as IEEE 754 says, so that the results are equal to the last bit.
EXACT = ["add", "add", "mul", "mul", "sub", "neg", "abs", "maximum", "minimum", "relu", "step", "sign", "chained"]
EXACT += ["<", "<=", ">", ">=", "==", "!=", "and", "or", "where", "floor"]


@st.composite
def programs(draw):
    """A tape, its inputs and outputs. Half of the operations add a product to something, as those of networks do."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    inputs = inputs_of(draw(st.integers(1, 5)))
    nodes, sums = list(inputs), []

    def node(name, *operands):
        nodes.append(Node(len(inputs) + 3 * len(nodes), name, *operands[: arity(name)]))  # not all numbers are used
        return nodes[-1]

    def operand():
        recent = nodes[-rng.choice([3, 10, 100]) :]
        return rng.choice([0.0, 1.0, -0.5, 3.0]) if rng.random() < 0.1 else rng.choice(recent)

    for _ in range(draw(st.sampled_from([0, 1, 5, 30, 100]))):
        if rng.random() < 0.5:
            pair = [node("mul", operand(), operand()), rng.choice(sums) if sums and rng.random() < 0.5 else operand()]
            rng.shuffle(pair)
            sums = [*sums[-3:], node("add", *pair)]
        else:
            node(rng.choice(EXACT), operand(), operand(), operand())
    outputs = [rng.choice([*nodes, *nodes[-3:], *sums, 2.5]) for _ in range(draw(st.integers(1, 12)))]
    needed, stack = set(), [y for y in outputs if isinstance(y, Node)]
    while stack:
        x = stack.pop()
        if x not in needed:
            needed.add(x)
            stack += [z for z in x.operands if isinstance(z, Node)]
    return [x for x in nodes if x in needed], inputs, outputs


def run_eagerly(tape, inputs, outputs, numbers):
    known = dict(zip(inputs, numbers, strict=True))
    for x in tape:
        if x.operation:
            known[x] = eager(x.operation, *[known[z] if isinstance(z, Node) else z for z in x.operands])
    return [known[y] if isinstance(y, Node) else y for y in outputs]


@given(programs(), st.data())
def test_a_program_computes_what_its_operations_do_one_after_the_other(program, data):
    tape, inputs, outputs = program
    numbers = [data.draw(st.sampled_from([0.0, -0.0, 1.5, -2.0, 1e200, inf, nan])) for _ in inputs]
    result = compiled(tape, inputs, outputs, ["stack"] * len(outputs))(numbers)
    assert same(result, run_eagerly(tape, inputs, outputs, numbers))
    assert all(type(y) is float for y in result)


@given(programs(), st.data())
def test_a_batch_is_its_elements_one_after_the_other(program, data):
    tape, inputs, outputs = program
    reduce = [data.draw(st.sampled_from(["stack", "sum", "mean"])) for _ in outputs]
    shapes = [data.draw(st.sampled_from([None, (), (4,), (3, 1), (1, 1), (3, 4)])) for _ in inputs]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    leaves = [rng.normal() if shape is None else rng.normal(size=shape) for shape in shapes]
    machine = compiled(tape, inputs, outputs, reduce)
    result = machine(leaves)
    whole = np.broadcast_arrays(*leaves)
    singles = compiled(tape, inputs, outputs, ["stack"] * len(outputs))
    if whole[0].ndim == 0:
        assert result == singles([float(x) for x in leaves])
        return
    stacked = np.array([singles([float(x[i]) for x in whole]) for i in np.ndindex(whole[0].shape)])
    for k, how in enumerate(reduce):
        each = stacked[:, k].reshape(whole[0].shape)
        if how == "stack":
            assert same(np.broadcast_to(result[k], each.shape), each)
            assert type(result[k]) is float or result[k].shape == each.shape
        else:
            assert type(result[k]) is float
            expected, scale = getattr(each, how)(), abs(each).max() * each.size
            assert result[k] == pytest.approx(expected, abs=1e-13 * scale, nan_ok=True)


# The edges of batches -------------------------------------------------------------------------------------------------


def test_an_output_that_no_array_reaches_is_a_float_and_counts_for_each_element_of_a_sum():
    w, x = inputs = inputs_of(2)
    y = Node(2, "exp", w)
    machine = compiled([y], inputs, [y, y, y, w, 3.0, x], ["stack", "sum", "mean", "sum", "sum", "stack"])
    *shared, array = machine([0.0, np.zeros((2, 5))])
    assert shared == [1.0, 10.0, 1.0, 0.0, 30.0]
    assert array.shape == (2, 5)


def test_an_input_may_be_several_outputs_in_several_ways():
    (x,) = inputs = inputs_of(1)
    stacked, total, mean, again = compiled([], inputs, [x, x, x, x], ["stack", "sum", "mean", "stack"])(
        [np.arange(4.0)]
    )
    assert (total, mean) == (6.0, 1.5)
    assert stacked.tolist() == again.tolist() == [0.0, 1.0, 2.0, 3.0]
    stacked[0] = 7.0
    assert again[0] == 0.0


def test_totals_of_what_is_infinite_or_nan():
    x, y = inputs = inputs_of(2)
    product = Node(2, "mul", x, y)
    machine = compiled([product], inputs, [product, x], ["sum", "mean"])
    for special in ([inf], [-inf], [nan], [inf, -inf], [-0.0], [1e308, 1e308]):
        batch = np.array(special + [1.0] * 30)
        with np.errstate(all="ignore"):
            assert same(machine([batch, np.ones(1)]), [batch.sum(), batch.mean()]), special


def test_a_product_that_is_summed_and_stacked_is_still_there():
    x, y = inputs = inputs_of(2)
    product = Node(2, "mul", x, y)
    for outputs in ([product, product], [Node(3, "neg", product), product]):
        tape = [product, *outputs[:1]] if outputs[0] is not product else [product]
        stacked, total = compiled(tape, inputs, outputs, ["stack", "sum"])([np.arange(3.0), np.arange(3.0)])
        assert abs(stacked).tolist() == [0.0, 1.0, 4.0]
        assert total == 5.0


@pytest.mark.parametrize("n", [0, 1, 7, 255, 256, 257, 1000, 20_000])
def test_a_batch_of_any_size_is_done_whole(n):
    x, w = inputs = inputs_of(2)
    tape = [Node(2, "mul", x, w)]
    for k in range(3, 60):
        tape.append(Node(k, "add", tape[-1], x))
    machine = compiled(tape, inputs, [tape[-1], tape[-1], tape[0]], ["stack", "sum", "mean"])
    batch = np.arange(n, dtype=float)
    stacked, total, mean = machine([batch, 2.0])
    assert stacked.tolist() == (59.0 * batch).tolist()
    assert total == 59.0 * n * (n - 1) / 2
    assert math.isnan(mean) if n == 0 else mean == n - 1


def test_arrays_of_any_kind_broadcast_and_are_left_alone():
    x, y = inputs = inputs_of(2)
    total = Node(2, "add", x, y)
    machine = compiled([total], inputs, [total], ["stack"])
    column, row = np.arange(3)[:, None], np.arange(8.0, dtype=np.float32)[::2]
    column.flags.writeable = False
    assert machine([column, row])[0].tolist() == (column + row).tolist()
    assert machine([np.float64(1.0), np.array(2.0)]) == [3.0]
    assert machine([True, 2]) == [3.0]
    assert machine([np.ones(3).T, 2.0])[0].tolist() == [3.0] * 3
    with pytest.raises(ValueError, match="shape mismatch"):
        machine([np.ones(3), np.ones(4)])


def test_a_program_with_more_lanes_than_the_cache_has_room_for():
    (x,) = inputs = inputs_of(1)
    tape = [Node(k, "sub", x, float(k)) for k in range(1, 3001)]  # all of them are needed until their turn comes
    total = x
    for k in range(3000):
        total = Node(3001 + k, "add", total, tape[k])
        tape.append(total)
    machine = compiled(tape, inputs, [tape[-1]], ["stack"])
    batch = np.arange(100.0)
    assert machine([batch])[0].tolist() == [machine([x])[0] for x in batch.tolist()]


# What is not taken ----------------------------------------------------------------------------------------------------


def test_nothing_of_the_side_that_where_does_not_take_gets_through():
    x, y = inputs = inputs_of(2)
    root, condition = Node(2, "sqrt", x), Node(3, ">", x, 0.0)
    chosen = Node(4, "where", condition, root, y)
    machine = compiled([root, condition, chosen], inputs, [chosen], ["stack"])
    assert [machine([v, 0.0])[0] for v in (-1.0, 4.0, -inf)] == [0.0, 2.0, 0.0]
    assert machine([np.array([-1.0, 4.0, -inf]), 0.0])[0].tolist() == [0.0, 2.0, 0.0]
    assert machine([4.0, np.array([nan, inf])])[0].tolist() == [2.0, 2.0]


def test_nothing_raises_where_python_does():
    x, y = inputs = inputs_of(2)
    tape = [
        Node(2, "truediv", x, y),
        Node(3, "mod", x, y),
        Node(4, "log", y),
        Node(5, "exp", x),
        Node(6, "pow", y, -1.0),
    ]
    result = compiled(tape, inputs, tape, ["stack"] * 5)([1e4, 0.0])
    assert same(result, [inf, nan, -inf, inf, inf])


# Programs of any size -------------------------------------------------------------------------------------------------


def test_a_program_of_200_000_operations():
    x, w = inputs = inputs_of(2)
    tape, y = [], x
    for k in range(100_000):
        tape += [Node(2 * k + 2, "mul", y, w), Node(2 * k + 3, "add", Node(2 * k + 2, "mul"), 1.0)]
        tape[-1].operands = (tape[-2], 1.0)
        y = tape[-1]
    machine = compiled(tape, inputs, [y], ["mean"])
    expected = 2.0
    for _ in range(100_000):
        expected = expected * 0.5 + 1.0
    assert machine([2.0, 0.5]) == [expected]
    assert machine([np.full(3, 2.0), 0.5]) == [expected]
    assert machine._single.memory.size < 20  # places are used again


def test_a_program_without_operations_and_one_without_inputs():
    assert repr(compiled([], [], [2.0, -0.0, 0.0, nan], ["stack", "sum"] * 2)([])) == "[2.0, -0.0, 0.0, nan]"
    assert compiled([], inputs_of(2), [], [])([1.0, np.ones(3)]) == []


def test_the_source_shows_what_runs_one_instruction_a_line():
    w, x, b = Node(0, "", "w"), Node(1, "", "x", label="input"), Node(2, "", "b")
    product, total = Node(3, "mul", w, x), Node(4, "add", b, Node(3, "mul"))
    total.operands = (b, product)
    tape = [product, total, Node(5, "tanh", total), Node(6, ">", total, 0.5), Node(7, "pow", total, 2.0)]
    machine = compiled(tape, [w, x, b], [*tape[2:], x, -1.5], ["stack"] * 5)
    assert sorted(machine.source.splitlines()) == [
        "t11 = w * input + b",
        "y0 = tanh(t11)",
        "y1 = float(0.5 < t11)",
        "y2 = pow(t11, 2.0)",
        "y3 = input",
        "y4 = -1.5",
    ]


# Buffers and threads --------------------------------------------------------------------------------------------------


def square_root_program(steps=40):
    """Newton's iteration."""
    x, start = inputs = inputs_of(2)
    tape, y = [], start
    for k in range(steps):
        quotient = Node(3 * k + 2, "truediv", x, y)
        total = Node(3 * k + 3, "add", y, quotient)
        y = Node(3 * k + 4, "mul", 0.5, total)
        tape += [quotient, total, y]
    return compiled(tape, inputs, [y], ["stack"])


def test_buffers_of_one_machine_do_not_disturb_each_other():
    machine = square_root_program()
    a, b = machine.buffer(), machine.buffer()
    a.inputs[:], b.inputs[:] = [2.0, 1.0], [9.0, 1.0]
    a()
    b()
    assert (a.outputs[0], b.outputs[0]) == (pytest.approx(sqrt(2.0)), 3.0)
    a()
    assert a.outputs.tolist() == machine([2.0, 1.0])
    assert a.inputs.tolist() == [2.0, 1.0]


def test_threads_may_call_one_machine_at_once():
    machine, long = square_root_program(), square_root_program(3000)
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(30):
            x = rng.uniform(0.1, 10.0, size=int(rng.integers(1, 20_000)))
            if not np.allclose(machine([x, 1.0])[0], np.sqrt(x), rtol=1e-12, atol=0.0):
                wrong.append(seed)
            if long([float(x[0]), 1.0])[0] != pytest.approx(sqrt(x[0])):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_threads_that_help_each_do_a_part(monkeypatch):
    monkeypatch.setattr(interpreter, "SHARE", 1)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    machine = square_root_program()
    done, at_once = [], interpreter._at_once

    def watched(run, n):
        at_once(lambda k: done.append((k, threading.get_ident())) or run(k), n)

    monkeypatch.setattr(interpreter, "_at_once", watched)
    x = np.linspace(1.0, 9.0, 1001)
    assert machine([x, 1.0])[0] == pytest.approx(np.sqrt(x), rel=1e-14)
    assert sorted(k for k, _ in done) == [0, 1, 2]
    assert [thread == threading.get_ident() for _, thread in sorted(done)] == [True, False, False]


def test_what_fails_in_a_thread_that_helps_is_raised():
    def run(k):
        if k:
            raise MemoryError("no room for lanes")

    with pytest.raises(MemoryError, match="no room"):
        interpreter._at_once(run, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")  # of JAX, if another test has loaded it
def test_a_forked_process_has_its_own_threads_to_help(monkeypatch):
    monkeypatch.setattr(interpreter, "SHARE", 1)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    machine = square_root_program()
    x = np.linspace(1.0, 9.0, 1000)
    machine([x, 1.0])
    process = os.fork()
    if process == 0:
        import signal

        signal.alarm(20)  # instead of waiting forever
        os._exit(0 if np.allclose(machine([x, 1.0])[0], np.sqrt(x)) else 1)
    assert os.waitpid(process, 0)[1] == 0


# What is kept ---------------------------------------------------------------------------------------------------------


def test_a_second_process_loads_the_loops_and_compiles_nothing():
    square_root_program()([np.ones(2), 1.0])
    program = """
import sys
import numpy as np
from micrograd_plus import instructions
from micrograd_plus.interpreter import compiled
from micrograd_plus.symbols import Trace
x = Trace(exact=False).input("x")
y = x * x + 1.0
machine = compiled(x.trace.symbols.values(), [x], [y], ["stack"])
machine([2.0]), machine([np.ones(2)])
loops = [machine._interpreter.single, machine._interpreter.batch]
used = [*loops, instructions.spread, instructions.fuse, instructions.schedule, instructions.write]
print([sum(function.stats.cache_misses.values()) for function in used])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[0, 0, 0, 0, 0, 0]"


def test_other_rules_or_kernels_are_other_files(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def files():
        instructions._interpreter.cache_clear()
        Interpreter.latest()
        return list(tmp_path.glob("*/*.py"))

    first = files()
    assert len(first) == 1
    assert files() == first
    monkeypatch.setitem(RULES, "triple", Rule("triple", "3.0 * {x}", lambda x: ()))
    assert len(files()) == 2
    monkeypatch.setitem(KERNELS, "reciprocal", lambda x: 1.0 / x)
    assert len(files()) == 3
    monkeypatch.setitem(instructions.REPLACED, "cbrt", "lambda x: np.cbrt(x) * 1.0")
    assert len(files()) == 4
    monkeypatch.undo()
    instructions._interpreter.cache_clear()


def test_where_nothing_can_be_written_it_is_compiled_in_memory(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("this is no directory")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert instructions._kept("pass", "name.py") == "<loops>"
    scope = {}
    exec(compile("def half(x): return x / 2.0", "<loops>", "exec"), scope)
    assert by_numba(scope["half"])(3.0) == 1.5


def test_a_new_rule_needs_no_other_place(monkeypatch):
    monkeypatch.setitem(RULES, "cubed_plus", Rule("cubed_plus", "{x} * {x} * {x} + {y}", lambda x, y: ()))
    x, y = inputs = inputs_of(2)
    z = Node(2, "cubed_plus", x, y)
    assert compiled([z], inputs, [z], ["stack"])([2.0, 1.0]) == [9.0]


def test_without_numba_the_error_says_what_to_install():
    program = """
import sys
sys.modules["numba"] = None
try:
    import micrograd_plus.interpreter
except ImportError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (
        result.stdout.strip()
        == "jit: the numba backend needs numba: pip install micrograd-plus[fast], in a clone -e .[fast]"
    )
