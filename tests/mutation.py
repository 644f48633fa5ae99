"""Mutation testing: would the tests notice if the code were wrong? tests/mutants.md tells what came out.

    pip install -e ".[test,mutation]"
    python tests/mutation.py learn                 # once: which test runs which line, and how long it takes
    python tests/mutation.py run core              # every mutant of the core
    python tests/mutation.py run rest              # 1,000 mutants of the other files, drawn by a seed
    python tests/mutation.py run core --again 60   # what survived: more tests, 60 seconds of them, and more examples
    python tests/mutation.py report

Cosmic Ray's operators change the package in one place. Then the tests that run the changed statement are run, and
others that run the file, quick ones first, until one fails: as many of them as took 6 seconds together when nothing
was changed, with 10 examples for each property. A mutant on which none fails survives: either it is equivalent to the
original, or a test is missing. One on which a test hangs is killed, and counted apart as a timeout.

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
COVERAGE, TIMES, RESULTS = (ROOT / "build" / name for name in ("mutation.coverage", "times.json", "mutants.jsonl"))
SEED, SAMPLE = 16, 1000
CORE = "value tape transforms rules functions machinery/operators machinery/operations machinery/trees machinery/fast"
CORE = [f"micrograd_plus/{name}.py" for name in (CORE + " machinery/digits").split()]
REST = sorted({str(path.relative_to(ROOT)) for path in ROOT.glob("micrograd_plus/**/*.py")}.difference(CORE))
QUIET = ["-q", "-p", "mutation", "-p", "no:cacheprovider"]
QUIET += [f"--ignore=tests/test_{name}.py" for name in ("explore_browser", "build", "types", "links")]
PRELOADED = "numpy scipy.special scipy.optimize mpmath sympy llvmlite.binding graphviz jax.numpy"
# One replacement for each of arithmetic, and the negation and the bound of each comparison. Not RemoveDecorator:
# without `@rule` the whole operation is gone, and any test would notice.
OPERATORS = r"""core/(AddNot|NumberReplacer|ExceptionReplacer|ZeroIterationForLoop|Replace(
    BinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)|
    ComparisonOperator_(Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Eq_NotEq|NotEq_Eq)|
    ComparisonOperator_(Is_IsNot|IsNot_Is|Is_Eq|IsNot_NotEq)|UnaryOperator_Delete_(USub|Not)|
    TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak))"""
OPERATORS = [name for name in sorted(operator_names()) if re.fullmatch(OPERATORS, name, re.VERBOSE)]


def mutants(path):
    """All changes of a file that can make a difference, each with a name that lasts as long as its line."""
    source = (ROOT / path).read_text(encoding="utf-8")
    idle, identical, seen = [], [], Counter()
    for node in ast.walk(ast.parse(re.sub(r"[^\x00-\x7f]", "_", source))):  # so that its columns are parso's
        idle += [part for name in ("annotation", "returns") if (part := getattr(node, name, None))]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            idle += [node.test, *node.body]
        elif isinstance(node, ast.keyword) and node.arg == "strict":  # an assertion
            idle.append(node.value)
        elif isinstance(node, ast.Compare) and re.search(r"\b(type\(|None|True|False)", ast.unparse(node)):
            identical.append(node)  # `is` and `==` say the same
    nodes = list(ast_nodes(get_ast(source)))
    for operator in OPERATORS:
        skipped = idle + identical * operator.endswith(("Is_Eq", "IsNot_NotEq"))
        places = [place for node in nodes for place, _ in get_operator(operator)().mutation_positions(node)]
        for occurrence, place in enumerate(places):
            if not any((n.lineno, n.col_offset) <= place < (n.end_lineno, n.end_col_offset) for n in skipped):
                name = f"{path} {operator} {place[1]} {source.splitlines()[place[0] - 1].strip()}"
                seen[name] += 1
                key = hashlib.sha256(f"{SEED} {name} {seen[name]}".encode()).hexdigest()[:20]
                yield {"key": key, "path": path, "line": place[0], "operator": operator, "occurrence": occurrence}


def drawn(part):
    if part == "core":
        return [mutant for path in CORE for mutant in mutants(path)]
    rest = [mutant for path in REST for mutant in mutants(path)]
    return sorted(rest, key=lambda mutant: mutant["key"])[:SAMPLE]


times, failed = Counter(), set()


def pytest_sessionstart():
    """This file is a plugin of pytest, too: a few examples for each property, and no time spent on shrinking."""
    if "FEW" in os.environ:
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("few", settings.get_profile("ci"), max_examples=10, phases=phases)
        settings.load_profile("few")


def pytest_runtest_logreport(report):
    times[report.nodeid] += report.duration
    if report.failed:
        failed.add(report.nodeid)


def pytest_sessionfinish(session):
    if session.config.getoption("--cov", None) and not hasattr(session.config, "workerinput"):
        TIMES.write_text(json.dumps({"all": times, "few": {t: s for t, s in times.items() if t not in failed}}))


class Chosen:
    """A plugin, too: of the tests found, those that are named, in this order."""

    def __init__(self, tests):
        self.place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda item: self.place[item.nodeid])


def failure(sessions):
    """The number of the first session of pytest, which are (arguments, plugin, seconds), that fails; or 0."""
    for number, (arguments, plugin, seconds) in enumerate(sessions, 1):
        signal.alarm(int(seconds))  # is deadly
        options = ["-x", "--disable-plugin-autoload", "-p", "_hypothesis_pytestplugin"]
        if pytest.main([*QUIET, *options, *arguments], plugins=[plugin]) not in (0, 5):  # 5: no test was found
            return number
    return 0


def failure_in_a_fork(sessions):
    """The same; a negative number is the signal that ended the fork, among them SIGALRM."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            log = os.open(os.environ.get("MUTATION_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1), os.dup2(log, 2)
            os._exit(failure(sessions))
        finally:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it may have started
    return status


def move_to_a_copy(folder):
    """For each process a copy of the tree, before the installed package; and a bound on a mutant's memory."""
    os.chdir(tempfile.mkdtemp(dir=folder))
    shutil.copytree(ROOT, ".", ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"), dirs_exist_ok=True)
    sys.path[0] = os.environ["PYTHONPATH"] = os.getcwd()
    sys.path.insert(1, "tests")
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
    for name in PRELOADED.split():
        importlib.import_module(name)
    assert "micrograd_plus" not in sys.modules
    gc.freeze()
    sys.dont_write_bytecode = False
    assert failure_in_a_fork([(["--collect-only"], None, 600)]) == 0
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


killers = Counter()  # which files of tests killed mutants of a file: these are tried first


def examine(mutant, tests):
    """The mutant, its change and its outcome: killed, timeout, survived; or no mutant, if that is no Python."""
    path = Path(mutant["path"])
    source, stat = path.read_text(encoding="utf-8"), path.stat()
    changed = mutate_code(source, get_operator(mutant["operator"])(), mutant["occurrence"])
    pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
    old, new = next(((old, new) for old, new in pairs if old != new), ("", ""))
    mutant |= {"old": old.strip(), "new": new.strip(), "tests": len(tests)}
    try:
        compile(changed, path, "exec")
    except SyntaxError:
        return mutant | {"outcome": "no mutant"}
    files = defaultdict(dict)
    for test, seconds in tests.items():
        files[test.partition("::")[0]][test] = seconds
    order = sorted(files, key=lambda file: -killers[path, file])
    sessions = [([f], Chosen(files[f]), 20 + 10 * sum(files[f].values())) for f in order]
    path.write_text(changed, encoding="utf-8")
    status = failure_in_a_fork(sessions)
    path.write_text(source, encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its bytecode holds again
    if status <= 0:
        outcome = {0: "survived", -signal.SIGALRM: "timeout"}.get(status, "killed")
        return mutant | {"outcome": outcome}
    by = order[status - 1] if status <= len(order) else ""
    killers[path, by] += 1
    return mutant | {"outcome": "killed", "by": by}


def tests_of(path, runs, times):
    """For a line, the tests that run its statement, then those that run its file; the quick ones of each first."""
    statements = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt):
            end = node.body[0].lineno - 1 if hasattr(node, "body") else node.end_lineno
            statements.append(range(node.lineno, max(node.lineno, end) + 1))
    that_run = {line: {test.partition("|")[0] for test in tests} for line, tests in runs.items()}
    files = defaultdict(set)
    all_tests = set().union(*that_run.values()).intersection(times)
    for test in all_tests:
        files[test.partition("::")[0]].add(test)

    def choose(line, seconds):
        """Half of the time for the file with most tests that run the statement, half of the rest for the next"""
        statement = min((lines for lines in statements if line in lines), key=len, default=[line])
        nearer = set().union(*(that_run.get(at, ()) for at in statement)).intersection(times) or set(all_tests)
        chosen = {}
        for file in sorted(files, key=lambda file: (-len(files[file] & nearer), file)):
            seconds -= 1.0  # what a file costs by itself
            share = seconds / 2
            for test in sorted(files[file], key=lambda test: (test not in nearer, times[test], test)):
                if times[test] < share:
                    chosen[test] = times[test]
                    share -= times[test]
                    seconds -= times[test]
        return chosen

    return choose


def in_copies():
    return ProcessPoolExecutor(2, initializer=move_to_a_copy, initargs=(tempfile.mkdtemp(),))


def failing(file, tests):
    return failure_in_a_fork([([file], Chosen(tests), 1000)])


def learn():
    """Which test runs which line, for how long, which passes on a few examples, and whether those pass in a fork."""
    os.environ |= {"COVERAGE_FILE": str(COVERAGE), "FEW": "yes"}
    pytest.main([*QUIET, "-n2", "--cov=micrograd_plus", "--cov-context=test", "--cov-report="])
    files = defaultdict(list)
    for test in json.loads(TIMES.read_text())["few"]:
        files[test.partition("::")[0]].append(test)
    with in_copies() as pool:
        for file, bad in zip(files, pool.map(failing, files, files.values()), strict=True):
            print(file, "fails" if bad else "passes")


def results():
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {result["key"]: result for result in map(json.loads, lines)}


def run(part, paths, again):
    os.environ |= {} if again else {"FEW": "yes"}
    times, data = json.loads(TIMES.read_text())["all" if again else "few"], coverage.CoverageData(str(COVERAGE))
    data.read()
    known = {key for key, result in results().items() if not (again and result["outcome"] == "survived")}
    todo = [m for m in drawn(part) if m["key"] not in known and m["path"].startswith(tuple(paths or [""]))]
    choose = {
        path: tests_of(path, data.contexts_by_lineno(str(ROOT / path)), times) for path in {m["path"] for m in todo}
    }
    with in_copies() as pool, RESULTS.open("a", encoding="utf-8") as log:
        jobs = []
        for mutant in sorted(todo, key=lambda mutant: ((CORE + REST).index(mutant["path"]), mutant["line"])):
            chosen = choose[mutant["path"]](mutant["line"], again or 6.0)
            jobs.append(pool.submit(examine, mutant, chosen))
        for done, job in enumerate(as_completed(jobs), 1):
            print(json.dumps(job.result()), file=log, flush=True)
            print(f"\r{done} of {len(jobs)} ", end="", file=sys.stderr, flush=True)


def report():
    known = results()
    for part in ("core", "rest"):
        counts = defaultdict(Counter)
        for mutant in drawn(part):
            result = known.get(mutant["key"], {"outcome": "not run"})
            for name in (mutant["path"], f"all of {part}"):
                counts[name][result["outcome"]] += 1
            if result["outcome"] == "survived":
                print("{path}:{line} {operator}\n- {old}\n+ {new}".format(**result | mutant))
        for name, count in counts.items():
            dead = count["killed"] + count["timeout"]
            share = dead / max(1, dead + count["survived"])
            print(f"{name:40}{share:7.1%} killed:", ", ".join(f"{n} {outcome}" for outcome, n in count.most_common()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", choices=["learn", "run", "report"])
    parser.add_argument("part", nargs="?", choices=["core", "rest"], default="core")
    parser.add_argument("paths", nargs="*", help="only files that begin so")
    parser.add_argument("--again", type=float, metavar="SECONDS", help="what survived before, on tests of so long")
    options = parser.parse_args()
    os.chdir(ROOT)
    if options.what == "run":
        run(options.part, options.paths, options.again)
    else:
        {"learn": learn, "report": report}[options.what]()


if __name__ == "__main__":
    main()
