"""Gradients and Hessians, eager and compiled, beside other libraries, a gradient by hand, and the plain function.

    pip install -e ".[bench]" && python tests/benchmarks/compiled.py

prints tables of docs/performance.md, in Markdown; it takes about five minutes. In each round all ways take turns, and
their medians are compared with that of the plain function over floats in Python, on the same numbers. A way that is
slow gets fewer turns. Before it is timed, its result is compared with that by hand. What is not installed is left out.
"""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from functools import cache
from importlib import import_module, metadata
from operator import add, mul

import numpy as np
from tqdm import tqdm

import micrograd_plus as mg

ROUNDS = 61
TURN = 2e-3  # seconds: what takes less is called several times in a turn
BUDGET = 4.0  # seconds for all turns of a way, but three turns it has

# The problems ---------------------------------------------------------------------------------------------------------

ROSENBROCK, NETWORK, BATCH, HESSIAN = PROBLEMS = [
    "gradient of Rosenbrock, 100 variables",
    "gradient of the network, 1 sample",
    "gradient of the network, 1000 samples",
    "Hessian of Rosenbrock, 20 variables",
]
WIDTHS = (16, 16, 1)

draw = random.Random(1)
POINT = [draw.uniform(-1.0, 1.0) for _ in range(100)]
PARAMETERS = [draw.gauss(0.0, 0.5) for _ in range(337)]
XS = [[draw.gauss(0.0, 1.0), draw.gauss(0.0, 1.0)] for _ in range(1000)]
YS = [math.sin(a) + b for a, b in XS]
ONE = PARAMETERS, XS[0], YS[0]


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def network(p, x, y, relu, widths=WIDTHS):
    """The squared error of a 2-16-16-1 network. In the list p, each neuron has its weights, then its bias."""
    k = 0
    for width in widths:
        n, sums = len(x), []
        for _ in range(width):
            sums.append(sum(map(mul, p[k : k + n], x), p[k + n]))
            k += n + 1
        x = list(map(relu, sums)) if width > 1 else sums
    return (x[0] - y) ** 2


def float_relu(z):
    return z if z > 0.0 else 0.0


def value_network(p, x, y):
    return network(p, x, y, mg.relu)


def mean_over(batch, loss):
    """The mean of a loss that is a function of parameters, input, and target."""
    xs, ys = batch
    return lambda p: sum(loss(p, x, y) for x, y in zip(xs, ys, strict=True)) / len(ys)


def summed(one, p, xs, ys):
    """The mean loss and its gradient over a batch, by a function that gives both for one sample."""
    total, sums = 0.0, [0.0] * len(p)
    for x, y in zip(xs, ys, strict=True):
        value, gradient = one(p, x, y)
        total += value
        sums = list(map(add, sums, gradient))
    return total / len(ys), [s / len(ys) for s in sums]


# The ways: each makes of a problem what is then timed -----------------------------------------------------------------


def plain(problem):
    if problem == NETWORK:
        return lambda: network(*ONE, float_relu)
    if problem == BATCH:
        mean = mean_over((XS, YS), lambda p, x, y: network(p, x, y, float_relu))
        return lambda: mean(PARAMETERS)
    point = POINT if problem == ROSENBROCK else POINT[:20]
    return lambda: rosenbrock(point)


def rosenbrock_by_hand(x):
    total, gradient = 0.0, [0.0] * len(x)
    for i in range(len(x) - 1):
        a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        total += 100.0 * a**2 + b**2
        gradient[i] -= 400.0 * a * x[i] + 2.0 * b
        gradient[i + 1] = 200.0 * a
    return total, gradient


def network_by_hand(p, x, y):
    layers, k = [], 0
    for width in WIDTHS:
        n, neurons = len(x), []
        for _ in range(width):
            neurons.append((p[k : k + n], p[k + n]))
            k += n + 1
        layers.append((x, neurons))
        sums = [sum(map(mul, weights, x), bias) for weights, bias in neurons]
        x = list(map(float_relu, sums)) if width > 1 else sums
    error = x[0] - y
    back, gradients = [2.0 * error], []
    for x, neurons in reversed(layers):
        gradient, below = [], [0.0] * len(x)
        for d, (weights, _) in zip(back, neurons, strict=True):
            if d:
                gradient += [d * v for v in x]
                below = [s + d * w for s, w in zip(below, weights, strict=True)]
            else:  # behind a relu that is off
                gradient += [0.0] * len(x)
            gradient.append(d)
        gradients = gradient + gradients
        back = [s if v > 0.0 else 0.0 for s, v in zip(below, x, strict=True)]
    return error**2, gradients


def hessian_by_hand(x):
    hessian = [[0.0] * len(x) for _ in x]
    for i in range(len(x) - 1):
        hessian[i][i] += 1200.0 * x[i] ** 2 - 400.0 * x[i + 1] + 2.0
        hessian[i][i + 1] = hessian[i + 1][i] = -400.0 * x[i]
        hessian[i + 1][i + 1] = 200.0
    return hessian


def by_hand(problem):
    return {
        ROSENBROCK: lambda: rosenbrock_by_hand(POINT),
        NETWORK: lambda: network_by_hand(*ONE),
        BATCH: lambda: summed(network_by_hand, PARAMETERS, XS, YS),
        HESSIAN: lambda: hessian_by_hand(POINT[:20]),
    }[problem]


def eager(problem):
    f, arguments = {
        ROSENBROCK: (mg.value_and_grad(rosenbrock), (POINT,)),
        NETWORK: (mg.value_and_grad(value_network), ONE),
        BATCH: (mg.value_and_grad(mean_over((XS, YS), value_network)), (PARAMETERS,)),
        HESSIAN: (mg.hessian(rosenbrock), (POINT[:20],)),
    }[problem]
    return lambda: f(*arguments)


def compiled(problem, backend):
    """The program, and its arguments."""
    f, arguments = {
        ROSENBROCK: (mg.value_and_grad(rosenbrock), (POINT,)),
        NETWORK: (mg.value_and_grad(value_network), ONE),
        BATCH: (mg.value_and_grad(value_network), (PARAMETERS, np.array(XS), np.array(YS))),
        HESSIAN: (mg.hessian(rosenbrock), (POINT[:20],)),
    }[problem]
    if problem == BATCH:
        f = mg.vmap(f, in_axes=(None, 0, 0), reduce="mean")
    return mg.jit(f, backend=backend), arguments


def eager_vmap(problem):
    if problem != BATCH:
        return None
    f = mg.vmap(mg.value_and_grad(value_network), in_axes=(None, 0, 0), reduce="mean")
    return lambda: f(PARAMETERS, np.array(XS), np.array(YS))


def jit_python(problem):
    program, arguments = compiled(problem, "python")
    return lambda: program(*arguments)


def jit_llvm(problem):
    program, arguments = compiled(problem, "llvm")
    return lambda: program(*arguments)


def jit_llvm_buffer(problem):
    if problem == BATCH:
        return None  # it is for single evaluations
    program, arguments = compiled(problem, "llvm")
    run = program.buffer(*arguments)

    def outputs():
        run()
        return run.outputs

    return outputs


def symengine(problem):
    """Its machine code, from a list to a list."""
    import symengine

    if problem not in (ROSENBROCK, HESSIAN):
        return None  # it has no derivative of a relu
    point = POINT if problem == ROSENBROCK else POINT[:20]
    x = symengine.symbols(f"x:{len(point)}")
    value = rosenbrock(x)
    slopes = [value.diff(a) for a in x]
    results = [value, *slopes] if problem == ROSENBROCK else [[slope.diff(a) for a in x] for slope in slopes]
    program = symengine.Lambdify(x, results, backend="llvm", cse=True)
    return lambda: program(point).tolist()


def num_dual(problem):
    """Forward mode, by dual numbers in Rust."""
    import num_dual

    if problem == ROSENBROCK:
        return lambda: num_dual.gradient(rosenbrock, POINT)
    return (lambda: num_dual.hessian(rosenbrock, POINT[:20])[2]) if problem == HESSIAN else None


def jit_jax(problem):
    import jax

    program, arguments = compiled(problem, "jax")
    return lambda: jax.block_until_ready(program(*arguments))


def by_backward(problem, value, samples):
    """Values that are made anew, and their `grad` after a backward pass, as of micrograd's class and of ours."""

    def both(f, numbers):
        values = [value(x) for x in numbers]
        result = f(values)
        result.backward()
        return result.data, [v.grad for v in values]

    def loss(p, x, y):
        return network(p, x, y, value.relu)

    mean = mean_over((XS[:samples], YS[:samples]), loss)
    return {
        ROSENBROCK: lambda: both(rosenbrock, POINT),
        NETWORK: lambda: both(lambda p: loss(p, *ONE[1:]), PARAMETERS),
        BATCH: lambda: both(mean, PARAMETERS),
        HESSIAN: None,
    }[problem]


def backward(problem):
    return by_backward(problem, mg.Value, 1000)


def micrograd(problem):
    from micrograd.engine import Value

    sys.setrecursionlimit(10**6)  # its backward pass recurses as deep as the graph
    return by_backward(problem, Value, 100)


def over_arrays(x):
    """Rosenbrock's function over arrays of any library's."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def network_over_arrays(relu):
    def loss(layers, x, y):
        *hidden, (weights, bias) = layers
        for w, b in hidden:
            x = relu(x @ w.T + b)
        return (((x @ weights.T + bias)[..., 0] - y) ** 2).mean()

    return loss


def layers(p, widths=WIDTHS):
    """The weights of each layer as a matrix, and its biases as a vector."""
    parts, k, n = [], 0, 2
    for width in widths:
        matrix = np.reshape(p[k : k + width * (n + 1)], (width, n + 1))
        parts.append((matrix[:, :-1].copy(), matrix[:, -1].copy()))
        k, n = k + width * (n + 1), width
    return parts


def autograd(problem):
    import autograd
    import autograd.numpy as anp

    loss = autograd.value_and_grad(network_over_arrays(lambda z: anp.maximum(z, 0.0)))
    f, *arguments = {
        ROSENBROCK: (autograd.value_and_grad(over_arrays), np.array(POINT)),
        NETWORK: (loss, layers(PARAMETERS), np.array(XS[0]), YS[0]),
        BATCH: (loss, layers(PARAMETERS), np.array(XS), np.array(YS)),
        HESSIAN: (autograd.hessian(over_arrays), np.array(POINT[:20])),
    }[problem]
    return lambda: f(*arguments)


def pytorch(problem):
    import torch

    torch.set_num_threads(
        1
    )  # as fast on arrays of this size, and threads that wait for each other disturb what is next

    def tensor(x, **options):
        return torch.tensor(x, dtype=torch.float64, **options)

    def both(f, leaves):
        value = f()
        return value, torch.autograd.grad(value, leaves)

    point = tensor(POINT, requires_grad=True)
    parameters = [tuple(tensor(a, requires_grad=True) for a in pair) for pair in layers(PARAMETERS)]
    leaves = [leaf for pair in parameters for leaf in pair]
    x, y, xs, ys, few = tensor(XS[0]), tensor(YS[0]), tensor(XS), tensor(YS), tensor(POINT[:20])
    loss = network_over_arrays(torch.relu)
    return {
        ROSENBROCK: lambda: both(lambda: over_arrays(point), point),
        NETWORK: lambda: both(lambda: loss(parameters, x, y), leaves),
        BATCH: lambda: both(lambda: loss(parameters, xs, ys), leaves),
        HESSIAN: lambda: torch.autograd.functional.hessian(over_arrays, few, vectorize=True),  # the fastest of its ways
    }[problem]


def jax_by_hand(problem):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    loss = jax.value_and_grad(network_over_arrays(jax.nn.relu))
    f, *arguments = {
        ROSENBROCK: (jax.value_and_grad(over_arrays), POINT),
        NETWORK: (loss, layers(PARAMETERS), XS[0], YS[0]),
        BATCH: (loss, layers(PARAMETERS), XS, YS),
        HESSIAN: (jax.hessian(over_arrays), POINT[:20]),
    }[problem]
    program = jax.jit(f)
    arguments = [
        [tuple(map(jnp.array, pair)) for pair in x] if x and isinstance(x, list) and isinstance(x[0], tuple)
        else jnp.array(x)
        for x in arguments
    ]  # fmt: skip
    return lambda: jax.block_until_ready(program(*arguments))


def casadi_function(problem):
    """CasADi's function, with the arguments in its own matrices."""
    import casadi

    if problem in (ROSENBROCK, HESSIAN):
        point = POINT if problem == ROSENBROCK else POINT[:20]
        x = casadi.SX.sym("x", len(point))
        value = rosenbrock(casadi.vertsplit(x))
        results = [value, casadi.gradient(value, x)] if problem == ROSENBROCK else [casadi.hessian(value, x)[0]]
        return casadi.Function("f", [x], results, {"cse": True}), [casadi.DM(point)]
    p, x, y = casadi.SX.sym("p", len(PARAMETERS)), casadi.SX.sym("x", 2), casadi.SX.sym("y")
    value = network(casadi.vertsplit(p), casadi.vertsplit(x), y, lambda z: casadi.fmax(z, 0.0))
    function = casadi.Function("f", [p, x, y], [value, casadi.gradient(value, p)], {"cse": True})
    if problem == NETWORK:
        return function, [casadi.DM(PARAMETERS), casadi.DM(XS[0]), casadi.DM(YS[0])]
    one_p, all_results = [0], [0, 1]  # no copies of p, and sums over the samples
    function = function.map("batch", "serial", len(YS), one_p, all_results)
    return function, [casadi.DM(PARAMETERS), casadi.DM(XS).T, casadi.DM(YS).T]


def casadi_call(problem):
    function, arguments = casadi_function(problem)
    if problem == BATCH:
        return lambda: [total / len(YS) for total in function.call(arguments)]
    return lambda: function.call(arguments)


def casadi_buffer(problem):
    function, arguments = casadi_function(problem)
    inputs = [np.array(x).ravel(order="F") for x in arguments]
    outputs = [np.zeros(function.nnz_out(i)) for i in range(function.n_out())]
    buffer, run = function.buffer()
    for i, x in enumerate(inputs):
        buffer.set_arg(i, memoryview(x))
    for i, x in enumerate(outputs):
        buffer.set_res(i, memoryview(x))

    def results(_inputs=inputs, _buffer=buffer):  # CasADi has their addresses: they have to live as long
        run()
        return [x / len(YS) for x in outputs] if problem == BATCH else outputs

    return results


WAYS = {  # each with the packages that it needs
    "plain function": (plain, []),
    "by hand, in Python": (by_hand, []),
    "eager": (eager, []),
    "eager, backward()": (backward, []),
    'jit, "python"': (jit_python, []),
    "eager, vmap": (eager_vmap, []),
    'jit, "llvm"': (jit_llvm, ["llvmlite"]),
    'jit, "llvm", buffer': (jit_llvm_buffer, ["llvmlite"]),
    'jit, "jax"': (jit_jax, ["jax"]),
    "micrograd": (micrograd, ["micrograd"]),
    "autograd": (autograd, ["autograd"]),
    "PyTorch": (pytorch, ["torch"]),
    "CasADi": (casadi_call, ["casadi"]),
    "CasADi, buffer": (casadi_buffer, ["casadi"]),
    "symengine": (symengine, ["symengine"]),
    "num-dual": (num_dual, ["num_dual"]),
    "JAX over arrays": (jax_by_hand, ["jax"]),
}
COMPILED = [way for way in WAYS if "jit" in way or "CasADi" in way or "JAX" in way or "symengine" in way]


@cache
def missing(way):
    """The first of the packages of a way that is not there, or None."""
    for package in WAYS[way][1]:
        try:
            import_module(package)
        except ImportError:
            return package
    return None


def is_part(way, problem):
    """Whether the way is timed on a tenth of the samples."""
    return way == "micrograd" and problem == BATCH


# Whether they are right -----------------------------------------------------------------------------------------------


def flat(result):
    """All numbers of a result, in order: of tuples, lists, arrays and tensors."""
    if isinstance(result, tuple | list):
        return np.concatenate([flat(part) for part in result])
    return np.asarray(result.detach() if hasattr(result, "detach") else result, dtype=float).ravel()


def check(way, problem, result):
    """ValueError unless the result is that by hand."""
    expected = by_hand(problem)()
    if is_part(way, problem):
        expected = summed(network_by_hand, PARAMETERS, XS[:100], YS[:100])
    possible = [flat(expected)]
    if problem == HESSIAN:
        possible.append(possible[0][possible[0] != 0.0])  # CasADi leaves zeros out
    elif problem != ROSENBROCK:
        value, gradient = expected
        possible.append(flat((value, layers(gradient))))
    got = flat(result)
    sizes = [np.abs(x).max() for x in possible]
    if not any(
        got.shape == x.shape and np.allclose(got, x, rtol=1e-9, atol=1e-12 * size)
        for x, size in zip(possible, sizes, strict=True)
    ):
        raise ValueError(f"{way}: the {problem} is not that by hand")


# Time -----------------------------------------------------------------------------------------------------------------


def seconds(run, calls=1):
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def medians(problem):
    """For each way, the median time of a call, and how many turns it had."""
    runs = {way: make(problem) for way, (make, _) in WAYS.items() if not missing(way)}
    runs = {way: run for way, run in runs.items() if run}
    times, calls, turns = {way: [] for way in runs}, {}, {}
    for way, run in tqdm(runs.items(), desc=f"checking the {problem}", leave=False):
        result = run()
        if way != "plain function":
            check(way, problem, result)
        once = seconds(run)
        calls[way] = max(1, round(TURN / once))
        turns[way] = max(3, min(ROUNDS, round(BUDGET / (once * calls[way]))))
    for i in tqdm(range(ROUNDS), desc=problem, leave=False):
        for way, run in runs.items():
            if i * turns[way] // ROUNDS < (i + 1) * turns[way] // ROUNDS:
                times[way].append(seconds(run, calls[way]))
    scale = {way: len(YS) / 100 if is_part(way, problem) else 1 for way in runs}
    return {way: (statistics.median(times[way]) * scale[way], len(times[way])) for way in runs}


def elsewhere(*words, file=__file__, timeout=None, **environment):
    """What a file prints when it is run with these words in a process of its own."""
    command = [sys.executable, file, *map(str, words)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def first_call(way, problem):
    """The time from the function to its first result. The packages are imported before."""
    for package in WAYS[way][1]:
        import_module(package)
    if "jax" in WAYS[way][1]:
        import jax.numpy

        jax.numpy.zeros(1).block_until_ready()  # what starts its machinery is no compilation
    return seconds(lambda: WAYS[way][0](problem)())


# Long programs --------------------------------------------------------------------------------------------------------


def chain(x):
    for _ in range(500_000):
        x = mg.sin(x) * 1.01
    return x


LONG = {  # a million operations each
    "a chain": (chain, 0.5),
    "Rosenbrock, 125,001 variables": (rosenbrock, [0.5] * 125_001),
}


def peak_memory():
    """The megabytes that this process had at most. (`getrusage` would count the process that started this one, too.)"""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def long_program(title, backend):
    """Of a million operations: seconds of the trace alone, of the first call and the second; megabytes at the peak."""
    f, argument = LONG[title]
    traces = []

    def traced(x):
        start = time.perf_counter()
        y = f(x)
        traces.append(time.perf_counter() - start)
        return y

    if backend != "python":
        import_module("micrograd_plus.jit.llvm")
    before = peak_memory()
    program = mg.jit(traced, backend=backend)
    first, second = seconds(lambda: program(argument)), seconds(lambda: program(argument))
    return traces[0], first, second, peak_memory() - before


# The tables -----------------------------------------------------------------------------------------------------------


def digits(x):
    """Two digits, or as many as there are before the point."""
    if x is None:
        return "–"
    return f"{x:,.0f}" if x >= 9.95 else f"{x:.1f}" if x >= 0.995 else f"{x:.2g}"


def print_table(title, columns, rows):
    print(f"\n| {title} | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for name, *cells in rows:
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    packages = ["numpy", "llvmlite", "jax", "micrograd", "autograd", "torch", "casadi", "symengine"]
    for way in WAYS:
        if missing(way):
            print(f"{way}: left out, as there is no {missing(way)} here")
    versions = [f"{name} {metadata.version(name)}" for name in packages if not any(missing(w) == name for w in WAYS)]
    print(f"Python {sys.version.split()[0]}, {', '.join(versions)}")

    times = {problem: medians(problem) for problem in PROBLEMS}
    ways = [way for way in WAYS if not missing(way)]
    rows = [["plain function, µs", *[digits(times[problem]["plain function"][0] * 1e6) for problem in PROBLEMS]]]
    for way in ways[1:]:
        ratios = [times[p][way][0] / times[p]["plain function"][0] if way in times[p] else None for p in PROBLEMS]
        rows.append([way, *map(digits, ratios)])
    print_table("÷ plain function", PROBLEMS, rows)
    few = [f"{way}, {problem}: {n}" for problem in PROBLEMS for way, (_, n) in times[problem].items() if n < ROUNDS]
    print(f"\nTurns, where there were fewer than {ROUNDS}: {'; '.join(few) or 'none'}.")

    first = {}
    for way in tqdm([way for way in COMPILED if way in ways], desc="first calls", leave=False):
        for problem in times:
            if way in times[problem]:
                first[way, problem] = elsewhere("first", way, problem)
    rows = [[way, *[digits(first.get((way, p))) for p in PROBLEMS]] for way in COMPILED if way in ways]
    print_table("first call, s", PROBLEMS, rows)

    rows = []
    for way in [way for way in ways if way.startswith("jit") and "buffer" not in way]:
        cells = []
        for problem in PROBLEMS:
            slow = min(times[problem][w][0] for w in ("eager", "eager, backward()") if w in times[problem])
            gain = slow - times[problem][way][0]
            cells.append(f"{math.ceil(first[way, problem] / gain):,}" if gain > 0.0 else "never")
        rows.append([way, *cells])
    print_table("pays from call", PROBLEMS, rows)

    rows = []
    for title in LONG:
        for backend in ("python", "llvm"):
            if backend == "python" or not missing('jit, "llvm"'):
                rows.append([f"{title}, {backend}", *map(digits, elsewhere("long", title, backend))])
    print_table("1,000,000 operations", ["trace alone, s", "first call, s", "second, s", "peak, MB"], rows)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        task, *words = sys.argv[1:]
        print(json.dumps({"first": first_call, "long": long_program}[task](*words)))
