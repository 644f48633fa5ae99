"""What random programs are compared with that is not ours: mpmath, PyTorch, JAX, and the page's JavaScript.

Each gives the value and the gradient of a program. PyTorch and JAX have derivatives of their own for what the words in
our templates mean; an operation for which a library has no word is not drawn when programs are compared with it.
"""

import json
import subprocess
from functools import cache
from operator import mul

import numpy as np
from mpmath import mp

from micrograd_plus.explore.page import _file, _kernels
from micrograd_plus.jit import javascript
from micrograd_plus.rules import RULES

CONSTANTS = [2.0, -1.0, 0.5, 3.0, 0.0, 1.0]
MOST = 12  # operations of a program
START = 3 + len(CONSTANTS)  # where results stand, if three inputs and the constants stand before them
UNITS = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@cache
def counts(rule):
    """Of how many operands it is drawn."""
    return [rule.sequences * n for n in (1, 2, 3)] if rule.sequences else [rule.partials.__code__.co_argcount]


SWEEP = """
const run = ({point, lines}) => {
  const nodes = [...point], slopes = [], at = (x) => x.length ? x[0] : nodes[x];
  for (const [rule, operands] of lines) {
    const [value, ...partials] = rules[rule](...operands.map(at));
    nodes.push(value);
    slopes.push(partials);
  }
  const gradients = nodes.map((x, i) => i === nodes.length - 1 ? 1 : 0);
  for (let i = lines.length - 1; i >= 0; i--) {
    lines[i][1].forEach((x, k) => { if (!x.length) gradients[x] += times(gradients[point.length + i], slopes[i][k]); });
  }
  return [nodes.at(-1), ...gradients.slice(0, point.length)];
};
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(run)));
"""


def by_javascript(programs):
    """The rules of the page, in Node, and a sweep; a constant is a list of one number."""
    used = sorted({(name, len(operands)) for f in programs for name, operands in f.lines})
    rules, missing = javascript.rules([(RULES[name], count) for name, count in used], _kernels())
    assert not any(missing)
    given = []
    for f in programs:
        lines = [(used.index((name, len(xs))), [x if type(x) is int else [x] for x in xs]) for name, xs in f.lines]
        given.append({"point": f.point, "lines": lines})
    command = ["node", "-e", "\n".join(['"use strict";', _file("kernels.js"), rules, SWEEP])]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def exactly(f, _):
    """By mpmath at 50 digits, with slopes by differences there."""
    with mp.workdps(50):
        point = tuple(map(mp.mpf, f.point))
        return [float(f(*point)), *[float(mp.diff(f, point, unit[: len(point)])) for unit in UNITS[: len(point)]]]


def exactly_twice(f, _, direction):
    """The second derivative along a line."""
    with mp.workdps(50):
        return [float(mp.diff(lambda t: f(*[x + v * t for x, v in zip(f.point, direction, strict=False)]), 0, 2))]


@cache
def words(name):
    """What the words in our templates mean in PyTorch or JAX, which have derivatives of their own."""
    if name == "pytorch":
        import torch as m

        places, lift, axis = [m, m.special], lambda x: m.as_tensor(x, dtype=m.float64), [0]
        table = {"step": lambda x: (x > 0.0).double(), "cbrt": lambda x: x.sign() * x.abs() ** (1.0 / 3.0)}
    else:
        import jax
        import jax.numpy as m

        jax.config.update("jax_enable_x64", True)
        places, lift, axis = [m, jax.scipy.special, jax.lax], lambda x: x, []
        table = {"step": lambda x: m.heaviside(x, 0.0), "sigmoid": jax.nn.sigmoid}
    table |= {"times": mul, "reciprocal": lambda x: 1.0 / x, "gaussian": lambda x, y: m.exp(y * x * x)}
    table |= {
        "sum": sum,
        "dot": lambda xs, ys: sum(map(mul, xs, ys)),
        "norm": lambda xs: m.linalg.norm(m.stack([*map(lift, xs)])),
    }
    table["mod"] = lambda x, y: x - y * m.floor(lift(x / y))
    for rule in RULES.values():
        if rule.name == "polygamma":
            continue  # PyTorch 2.13 has but nine digits of polygamma(1, x), JAX takes no number of floats for its order
        found = [getattr(place, word) for word in (rule.numpy, rule.name) for place in places if hasattr(place, word)]
        if found and rule.name not in table:
            table[rule.name] = lambda *x, function=found[0]: function(*map(lift, x))
            if rule.sequences:
                table[rule.name] = lambda xs, function=found[0]: function(m.stack([*map(lift, xs)]), *axis)
    return table


@cache
def translated(name, rule, count):
    """The operation in a library's words: its own one, or else those of our template; None if it lacks one."""
    operands = [f"x{i}" for i in range(count)]
    own = rule.name in words(name) and not rule.sequences and "(" in rule.template
    text = f"{rule.name}({', '.join(operands)})" if own else rule.program(operands)
    function = eval(f"lambda {', '.join(operands)}: {text}", words(name))
    return function if {*function.__code__.co_names} <= {*words(name)} else None


def knows(name):
    return lambda rule: all(translated(name, rule, count) for count in counts(rule))


def by_pytorch(f, _):
    import torch

    nodes = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in f.point]
    for name, operands in f.lines:
        operation = translated("pytorch", RULES[name], len(operands))
        nodes.append(operation(*[nodes[x] if type(x) is int else x for x in operands]))
    point = nodes[: len(f.point)]
    value = nodes[-1] + 0.0 * sum(point)  # of a constant there would be no gradient at all
    return [x.item() for x in (value, *torch.autograd.grad(value, point))]


@cache
def machine():
    """An interpreter of programs in JAX, compiled once: each step does all operations, and chooses one."""
    import jax
    import jax.numpy as jnp

    table = [(rule, count) for rule in RULES.values() if knows("jax")(rule) for count in counts(rule)]
    operations = [(translated("jax", rule, count), count) for rule, count in table]

    def step(nodes, line):
        i, code, places = line
        results = []
        for k, (operation, count) in enumerate(operations):
            xs = [jnp.where(code == k, nodes[places[j]], 1.5) for j in range(count)]
            results.append(jnp.where(code == k, operation(*xs), 0.0))
        return nodes.at[i].set(sum(results)), None

    def result(point, last, codes, places):
        nodes = jnp.concatenate([point, jnp.array(CONSTANTS), jnp.zeros(MOST)])
        return jax.lax.scan(step, nodes, (jnp.arange(MOST) + START, codes, places))[0][last]

    codes = {(rule.name, count): k for k, (rule, count) in enumerate(table)}
    return codes, jax.jit(jax.vmap(jax.value_and_grad(result)))


def by_jax(programs):
    codes, run_all = machine()
    given = []
    for f in programs:
        slots = [*range(len(f.point)), *range(START, START + MOST)]
        point, code, places = np.zeros(3), np.full(MOST, -1), np.zeros((MOST, 6), int)
        point[: len(f.point)] = f.point
        for i, (name, xs) in enumerate(f.lines):
            code[i] = codes[name, len(xs)]
            places[i, : len(xs)] = [slots[x] if type(x) is int else 3 + CONSTANTS.index(x) for x in xs]
        given.append((point, slots[len(f.point) + len(f.lines) - 1], code, places))
    given += given[-1:] * (-len(given) % 50)  # another length would be compiled again
    values, slopes = map(np.array, run_all(*map(np.array, zip(*given, strict=True))))
    return [
        [float(value), *map(float, row[: len(f.point)])]
        for f, value, row in zip(programs, values, slopes, strict=False)
    ]
