"""Mutation testing: would the tests notice if the code were wrong? docs/mutants.md tells what came out.

    pip install -e ".[test,mutation]"
    python tests/mutation.py learn                 # once: which test runs which line, and how long it takes
    python tests/mutation.py run core              # every mutant of the core
    python tests/mutation.py run rest              # 1,000 mutants of the other files, drawn by a seed
    python tests/mutation.py run core --again      # what survived, on whole files of tests
    python tests/mutation.py report                # writes the tables of docs/mutants.md

Cosmic Ray's operators change the package in one place. Then tests are run until one fails: those of the file's own
test file, and of those that have most to do with the changed statement, quick ones first; so many that they took 8
seconds together when nothing was changed, with 10 examples for each property. A mutant on which none fails survives:
either it is equivalent to the original, or a test is missing. One on which a test hangs is killed, as a timeout.

Each of two processes has a copy of the tree, and has imported what the tests import besides the package; a mutant runs
in a fork of it. Results are kept in build/mutants.jsonl, and an interrupted run goes on where it was.
"""

import argparse
import ast
import contextlib
import gc
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from hypothesis import Phase, settings

ROOT = Path(__file__).parent.parent
PAGE, LISTS = ROOT / "docs/mutants.md", ("Equivalent mutants", "Survivors")
COVERAGE, TIMES, RESULTS = (ROOT / "build" / name for name in ("mutation.coverage", "times.json", "mutants.jsonl"))
SEED, SAMPLE = 16, 1000
CORE = ["value", "tape", "transforms", "rules", "functions"]
CORE += [f"machinery/{name}" for name in ("operators", "operations", "trees", "fast", "digits")]
CORE = [f"micrograd_plus/{name}.py" for name in CORE]
REST = sorted({str(path.relative_to(ROOT)) for path in ROOT.glob("micrograd_plus/**/*.py")}.difference(CORE))
AGAIN = {  # whole files of tests, the second time
    "value|tape|transforms|functions|machinery/(operators|operations|trees)|__init__": (
        "value functions transforms own_rules foreign silence math package confusion fast singular tape batch nn"
    ),
    "rules|machinery/(digits|special|more|formulas)": (
        "special reference singular silence rules functions math orders accuracy fast foreign backends series"
    ),
    "machinery/fast": "value fast silence singular functions own_rules transforms orders",
    "jit/|batch|machinery/(running|structures)": "jit backends batch silence optim javascript fuzz",
    "nn/": "nn losses optim seed_network worked_examples",
    "draw/|explore/": "draw explore notebook main",
    "testing/": "testing checks strategies check_engine fuzz properties",
    "series": "series orders",
    "__main__": "main",
}
PYTEST = ["-q", "-p", "mutation", "-p", "no:cacheprovider"]
PYTEST += [f"--ignore=tests/test_{name}.py" for name in ("explore_browser", "build", "types", "links")]
PRELOADED = ["numpy", "scipy.special", "scipy.optimize", "mpmath", "sympy", "llvmlite.binding", "graphviz", "jax.numpy"]
# One replacement for each of arithmetic, and the negation and the bound of each comparison. Not RemoveDecorator:
# without `@rule` the whole operation is gone, and any test would notice; nor `==` for `is`, which mostly is the same.
OPERATORS = r"""core/(AddNot|NumberReplacer|ExceptionReplacer|ZeroIterationForLoop|Replace(
    BinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)|
    ComparisonOperator_(Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Eq_NotEq|NotEq_Eq)|
    ComparisonOperator_(Is_IsNot|IsNot_Is)|UnaryOperator_Delete_(USub|Not)|
    TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak))"""
OPERATORS = [name for name in sorted(operator_names()) if re.fullmatch(OPERATORS, name, re.VERBOSE)]

# The mutants ----------------------------------------------------------------------------------------------------------


def mutants(path):
    """All changes of a file that can make a difference, each with a key that lasts as long as its line."""
    source = (ROOT / path).read_text(encoding="utf-8")
    idle, seen = [], Counter()
    for node in ast.walk(ast.parse(re.sub(r"[^\x00-\x7f]", "_", source))):  # so that its columns are parso's
        idle += [part for name in ("annotation", "returns") if (part := getattr(node, name, None))]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            idle += [node.test, *node.body]
        elif isinstance(node, ast.Assign) and ast.unparse(node).startswith("TYPE_CHECKING"):
            idle.append(node)
        elif isinstance(node, ast.keyword) and node.arg == "strict":  # an assertion
            idle.append(node.value)
    nodes, lines = list(ast_nodes(get_ast(source))), source.splitlines()
    for operator in OPERATORS:
        places = [place for node in nodes for place, _ in get_operator(operator)().mutation_positions(node)]
        for occurrence, place in enumerate(places):
            if not any((n.lineno, n.col_offset) <= place < (n.end_lineno, n.end_col_offset) for n in idle):
                name = f"{path} {operator} {place[1]} {lines[place[0] - 1].strip()}"
                seen[name] += 1
                key = hashlib.sha256(f"{SEED} {name} {seen[name]}".encode()).hexdigest()[:20]
                yield {"key": key, "path": path, "line": place[0], "operator": operator, "occurrence": occurrence}


def drawn(part):
    """Those of the core, all of them, or a sample of the rest, in the order of the files."""
    chosen = [mutant for path in (CORE if part == "core" else REST) for mutant in mutants(path)]
    if part == "rest":
        chosen = sorted(chosen, key=lambda mutant: mutant["key"])[:SAMPLE]
    return sorted(chosen, key=lambda mutant: ((CORE + REST).index(mutant["path"]), mutant["line"]))


# This file is a plugin of pytest, too ---------------------------------------------------------------------------------

times, failed = Counter(), set()


def pytest_sessionstart():
    if "FEW" in os.environ:  # examples for each property, and no time spent on shrinking
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("few", settings.get_profile("ci"), max_examples=10, phases=phases)
        settings.load_profile("few")


def pytest_runtest_logreport(report):
    times[report.nodeid] += report.duration
    failed.update([report.nodeid] * report.failed)


def pytest_sessionfinish(session):
    if session.config.getoption("--cov", None) and not hasattr(session.config, "workerinput"):
        TIMES.write_text(json.dumps({test: seconds for test, seconds in times.items() if test not in failed}))


class Chosen:
    """Of the tests found, those that are named, in this order."""

    def __init__(self, tests):
        self.place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda item: self.place[item.nodeid])


# A mutant and its tests -----------------------------------------------------------------------------------------------


def choice(path, runs, times, seconds=8.0):
    """A function from a line of a file to the tests for it with their times, for so many seconds."""
    statements, files = [], defaultdict(set)
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt):
            header = hasattr(node, "body") and not isinstance(node, ast.FunctionDef | ast.ClassDef)
            end = node.body[0].lineno - 1 if header else node.end_lineno
            statements.append(range(node.lineno, max(node.lineno, end) + 1))
    runs = {line: {test.partition("|")[0] for test in tests}.intersection(times) for line, tests in runs.items()}
    for test in set().union(*runs.values()):
        files[test.partition("::")[0]].add(test)

    def choose(line):
        """Half of the time for its own file of tests, half of the rest for the one that is most about it, ..."""
        statement = min((lines for lines in statements if line in lines), key=len, default=[line])
        nearer = set().union(*(runs.get(at, ()) for at in statement)) or set().union(*runs.values())
        about = {file: len(tests & nearer) ** 2 / len(tests) for file, tests in files.items()}
        own, chosen, left = {path, f"tests/test_{Path(path).stem}.py"}, {}, seconds
        for file in sorted(files, key=lambda file: (file not in own, -about[file], file)):
            left -= 1.0  # what a file costs by itself
            share = left / 2
            for test in sorted(files[file], key=lambda test: (test not in nearer, times[test], test)):
                if times[test] < share:
                    chosen[test], share, left = times[test], share - times[test], left - times[test]
        return chosen

    return choose


def move_to_a_copy(folder):
    """For each process a copy of the tree, before the installed package; and a bound on a mutant's memory."""
    os.chdir(tempfile.mkdtemp(dir=folder))
    shutil.copytree(ROOT, ".", ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"), dirs_exist_ok=True)
    sys.path[:1] = [os.getcwd(), "tests"]
    os.environ["PYTHONPATH"] = os.getcwd()
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    sys.dont_write_bytecode = False
    assert first_failure([([], ["--collect-only"], 600)]) == 0
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"


def first_failure(sessions):
    """Run pytest in a fork, on each (plugins, arguments, seconds): the number of the first session that fails, or 0; a
    negative number is the signal that ended the fork, SIGALRM if it took too long."""
    if (child := os.fork()) == 0:
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            for number, (plugins, arguments, seconds) in enumerate(sessions, 1):
                signal.alarm(int(seconds))
                options = ["-x", "--disable-plugin-autoload", "-p", "_hypothesis_pytestplugin", *arguments]
                if pytest.main(PYTEST + options, plugins) not in (0, 5):  # 5: no test was found
                    os._exit(number)
            os._exit(0)
        finally:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it may have started
    return status


killers = Counter()  # which files of tests killed mutants of a file: these are tried first


def sessions_of(tests):
    """Of tests with their times, those of each file: what pytest is to run."""
    files = defaultdict(dict)
    for test, seconds in tests.items():
        files[test.partition("::")[0]][test] = seconds
    return {file: ([Chosen(files[file])], [file], 20 + 10 * sum(files[file].values())) for file in files}


def whole(path, times):
    """All tests of the files that are about this one, but for those that failed when nothing was changed."""
    names = next(names for pattern, names in AGAIN.items() if re.match(pattern, path.removeprefix("micrograd_plus/")))
    files = [path, *[f"tests/test_{name}.py" for name in names.split()]]
    known = sessions_of({test: seconds for test, seconds in times.items() if test.partition("::")[0] in files})
    return {file: known.get(file, ([], [file], 300)) for file in files}


def passes(session):
    return first_failure([session]) == 0


def examine(mutant, sessions):
    """The mutant, its change and its outcome: killed, timeout, survived; or no mutant, if that is no Python."""
    path = Path(mutant["path"])
    source, stat = path.read_text(encoding="utf-8"), path.stat()
    changed = mutate_code(source, get_operator(mutant["operator"])(), mutant["occurrence"])
    pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
    mutant["old"], mutant["new"] = next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))
    try:
        compile(changed, path, "exec")
    except SyntaxError:
        return mutant | {"outcome": "no mutant"}
    order = sorted(sessions, key=lambda file: -killers[path, file])
    path.write_text(changed, encoding="utf-8")
    status = first_failure([sessions[file] for file in order])
    path.write_text(source, encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its bytecode holds again
    if 0 < status <= len(order):
        mutant["by"] = order[status - 1]
        killers[path, mutant["by"]] += 1
    return mutant | {"outcome": {0: "survived", -signal.SIGALRM: "timeout"}.get(status, "killed")}


# The program ----------------------------------------------------------------------------------------------------------


def learn():
    COVERAGE.parent.mkdir(exist_ok=True)
    os.environ |= {"COVERAGE_FILE": str(COVERAGE), "FEW": "yes", "PYTHONPATH": str(ROOT / "tests")}
    options = ["-n2", "--cov=micrograd_plus", "--cov-context=test", "--cov-report="]
    subprocess.run([sys.executable, "-m", "pytest", *PYTEST, *options], cwd=ROOT)  # some may fail: they are left out


def results():
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {result["key"]: result for result in map(json.loads, lines)}


def equal(a, b):
    """With how many items in common two lists begin."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def described(result):
    """A mutant, in three cells of a table: its file, where in the line it is, and the change."""
    a, b = (re.findall(r"\w+(?:\.\w+)*|\s+|[<>=!*/]{1,3}|.", result[text]) for text in ("old", "new"))
    start = equal(a, b)
    end = equal(a[start:][::-1], b[start:][::-1])
    before, after = "".join(a[:start]), "".join(a[len(a) - end :])
    was, now = "".join(a[start : len(a) - end]).strip(), "".join(b[start : len(b) - end]).strip()
    if len(before) > 28:
        before = "…" + before[-28:].partition(" ")[2 if " " in before[-28:] else 0]
    if len(after) > 28:
        after = (after[:28].rpartition(" ")[0] or after[:28]) + "…"
    texts = (
        result["path"].removeprefix("micrograd_plus/"),
        f"`{before + was + after}`",
        f"`{was or '·'}` → `{now or 'nothing'}`",
    )
    return tuple(text.replace("  ", " ").replace("|", "\\|") for text in texts)


def section(page, heading):
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def explained():
    """What docs/mutants.md says of mutants: the list in which each stands, and why."""
    page, said = PAGE.read_text(encoding="utf-8"), {}
    for heading in LISTS:
        for line in section(page, heading).partition("|---")[2].splitlines()[1:]:
            place, *change, why = line.removeprefix("| ").removesuffix(" |").split(" | ")
            said[place.partition(":")[0], *change] = heading, why
    return said


def run(part, paths, again):
    os.environ["FEW"] = "yes"
    times, data = json.loads(TIMES.read_text()), coverage.CoverageData(str(COVERAGE))
    data.read()
    known = results()
    if again:  # what survived, and nobody has found to be equivalent
        equivalent = {mutant for mutant, (heading, _) in explained().items() if heading == LISTS[0]}
        known = {k: r for k, r in known.items() if r["outcome"] != "survived" or described(r) in equivalent}
    todo = [m for m in drawn(part) if m["key"] not in known and m["path"].startswith(tuple(paths or [""]))]
    choose = {path: choice(path, data.contexts_by_lineno(str(ROOT / path)), times) for path in CORE + REST}
    pool = ProcessPoolExecutor(2, initializer=move_to_a_copy, initargs=(tempfile.mkdtemp(),))
    with pool, RESULTS.open("a", encoding="utf-8") as log:
        if again:
            sessions = {m["path"]: whole(m["path"], times) for m in todo}
            files = {file: session for group in sessions.values() for file, session in group.items()}
            failing = [file for file, passed in zip(files, pool.map(passes, files.values()), strict=True) if not passed]
            print("left out, since they fail without a mutant:", *failing or ["none"], file=sys.stderr)
            jobs = [
                pool.submit(examine, m, {f: s for f, s in sessions[m["path"]].items() if f not in failing})
                for m in todo
            ]
        else:
            jobs = [pool.submit(examine, m, sessions_of(choose[m["path"]](m["line"]))) for m in todo]
        for done, job in enumerate(as_completed(jobs), 1):
            print(json.dumps(job.result()), file=log, flush=True)
            print(f"\r{done} of {len(jobs)} ", end="", file=sys.stderr, flush=True)


def report():
    """Write the tables of docs/mutants.md. What is said there of a mutant is kept, in the list where it is said."""
    page, known, reasons = PAGE.read_text(encoding="utf-8"), results(), explained()
    parts = {"The core": "core", "The sample of the rest": "rest"}
    tables = {heading: [] for heading in (*parts, *LISTS)}
    for heading, part in parts.items():
        counts = defaultdict(Counter)
        for mutant in drawn(part):
            path, result = mutant["path"].removeprefix("micrograd_plus/"), known.get(mutant["key"], {})
            outcome = result.get("outcome", "not tried")
            if outcome == "survived":
                outcome, why = reasons.get(described(result), (LISTS[1], "not looked into"))
                tables[outcome].append((f"{path}:{mutant['line']}", *described(result)[1:], why))
            counts[f"`{path}`"][outcome] += 1
            counts["**all**"][outcome] += 1
        for name, count in sorted(counts.items(), key=lambda item: ("*" in item[0], item[0])):
            dead, alive = count["killed"] + count["timeout"], count[LISTS[1]]
            share = f"{dead / max(1, dead + alive):.1%}"
            tables[heading].append((name, dead, alive, count[LISTS[0]], share, count["not tried"]))
    for heading, rows in tables.items():
        table = "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
        text = section(page, heading)
        head, rule, body = text.partition("|---")
        page = page.replace(text, head + rule + body.partition("\n")[0] + "\n" + table)
    PAGE.write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", choices=["learn", "run", "report"])
    parser.add_argument("part", nargs="?", choices=["core", "rest"], default="core")
    parser.add_argument("paths", nargs="*", help="only files that begin so")
    parser.add_argument("--again", action="store_true", help="what survived before, on whole files of tests")
    options = parser.parse_args()
    os.chdir(ROOT)
    if options.what == "run":
        run(options.part, options.paths, options.again)
    else:
        {"learn": learn, "report": report}[options.what]()


if __name__ == "__main__":
    main()
