"""Mutation testing: would the tests notice if the code were wrong? Run as `python tests/mutation.py`.

In copies of the tree, Cosmic Ray changes the package in one place at a time, and the tests run on each such mutant. One
that no test fails on survives: either it is equivalent to the original, or a test is missing. The changes, the modules
and the tests are set in pyproject.toml, and results are kept in build/mutation.sqlite; docs/testing.md tells what came
out. It takes well over half an hour on two cores, and needs `pip install -e ".[test,mutation]"`.
"""

import argparse
import ast
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.config import load_config
from cosmic_ray.mutating import MutationVisitor, mutate_and_test
from cosmic_ray.plugins import get_operator
from cosmic_ray.tools.filters.operators_filter import OperatorsFilter
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

ROOT = Path(__file__).parent.parent
CONFIG = load_config(ROOT / "pyproject.toml")
SESSION = "build/mutation.sqlite"


def what_runs(source):
    """The syntax of a module without what makes no difference to a run: annotations, what the type checker alone sees,
    assertions that sequences have one length (`strict=True`), and whether types are compared by `is` or by `==`.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for name in {"annotation", "returns"}.intersection(node._fields):
            setattr(node, name, None)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            node.value = None
        elif isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type("):
            node.ops = [{ast.Is: ast.Eq, ast.IsNot: ast.NotEq}.get(type(op), type(op))() for op in node.ops]
    return ast.dump(tree)


def makes_a_difference(mutation):
    source = Path(mutation.module_path).read_text(encoding="utf-8")
    mutant = MutationVisitor.mutate_code(source, get_operator(mutation.operator_name)(), mutation.occurrence)
    try:
        return what_runs(mutant) != what_runs(source)
    except SyntaxError:
        return False


def move_to_a_copy(folder):
    """For each process a copy of the tree, as Cosmic Ray changes files in place; and a bound on a mutant's memory."""
    os.chdir(tempfile.mkdtemp(dir=folder))
    shutil.copytree(ROOT, ".", ignore=shutil.ignore_patterns(".*", "build", "dist"), dirs_exist_ok=True)
    os.environ["PYTHONPATH"] = os.getcwd()  # goes before the installed package
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))


def run(mutations, module):
    """The result of the tests, stage after stage until one fails."""
    if not all(map(makes_a_difference, mutations)):
        return WorkResult(WorkerOutcome.SKIPPED)
    for files in CONFIG["stages"]:
        result = mutate_and_test(mutations, f"{CONFIG.test_command} {files.format(module=module)}", CONFIG.timeout)
        if result.test_outcome is not TestOutcome.SURVIVED:
            break
    return result


def run_all(items, db):
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(None, None, move_to_a_copy, (folder,)) as pool:
        for unchanged in [pool.submit(run, (), Path(module).stem) for module in CONFIG["module-path"]]:
            if unchanged.result().test_outcome is not TestOutcome.SURVIVED:
                sys.exit(f"without any change, the tests fail or take too long:\n{unchanged.result().output}")
        start = time.monotonic()
        jobs = {pool.submit(run, item.mutations, item.mutations[0].module_path.stem): item.job_id for item in items}
        for done, job in enumerate(as_completed(jobs), 1):
            db.set_result(jobs[job], job.result())
            left = (time.monotonic() - start) / done * (len(jobs) - done) / 60
            print(f"\r{done} of {len(jobs)} mutants, {left:.0f} minutes left ", end="", file=sys.stderr, flush=True)


def survived(pair):
    return pair[1].test_outcome is TestOutcome.SURVIVED


def place(pair):
    (mutation,) = pair[0].mutations
    return str(mutation.module_path), mutation.start_pos, mutation.operator_name


def report(pairs):
    counts = {module: Counter() for module in CONFIG["module-path"]}
    for pair in sorted(pairs, key=place):
        (module, (line, _), operator), result = place(pair), pair[1]
        if result.worker_outcome is not WorkerOutcome.SKIPPED:
            timeout = ["timeouts"] * (result.output == "timeout")
            counts[module].update(["mutants", result.test_outcome.value, *timeout])
        if survived(pair):
            changes = [line for line in result.diff.splitlines()[3:] if line[:1] in "+-"]
            print(f"\n{module}:{line} {operator}", *changes, sep="\n")
    print()
    for module, count in {**counts, "all": sum(counts.values(), Counter())}.items():
        share = count["killed"] / max(count["mutants"], 1)
        print(f"{module:30}", *[f"{count[key]:5} {key}" for key in ("mutants", "killed", "timeouts")], f"{share:7.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--survivors", action="store_true", help="test again what survived or was not reached last time")
    again.add_argument("--report", action="store_true", help="test nothing, tell what came out last time")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.makedirs("build", exist_ok=True)
    with use_db(SESSION) as db:
        if not (options.survivors or options.report):
            init(map(Path, CONFIG["module-path"]), db, {})
            OperatorsFilter().main([SESSION, "pyproject.toml"])
        if not options.report:
            run_all([*db.pending_work_items, *(item for item, _ in filter(survived, db.completed_work_items))], db)
        report(db.completed_work_items)


if __name__ == "__main__":
    main()
