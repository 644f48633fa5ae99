"""Run the properties of test_properties.py on new random programs for as long as you like:

    .venv/bin/python tests/soak.py --minutes 30

It shows how far it is, and in the end how many programs it has tried and, for each property that failed, the smallest
program that does; the exit status is then 1. With the --seed that it prints, a run can be repeated.
"""

import argparse
import os
import random
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import count

from hypothesis import HealthCheck, Phase, seed, settings
from tqdm import tqdm

ROUND = 200  # examples of a property before the next one has its turn


def properties():
    import test_properties

    return {name: test for name, test in vars(test_properties).items() if name.startswith("test_")}


def prepare():
    """Set up a process that runs properties."""
    phases = [Phase.generate, Phase.shrink]
    quiet = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
    settings.register_profile("soak", quiet, max_examples=ROUND, phases=phases)
    settings.load_profile("soak")


def try_out(name, number):
    """Try the property on programs of that number; how many these were, and what failed, or an empty string."""
    test, tried = properties()[name], 0
    inner = test.hypothesis.inner_test

    def counted(*args, **kwargs):
        nonlocal tried
        tried += 1
        return inner(*args, **kwargs)

    test.hypothesis.inner_test = counted
    try:
        seed(number)(test)()
    except Exception as error:
        return tried, "".join(traceback.format_exception(error, limit=-2))
    finally:
        test.hypothesis.inner_test = inner
    return tried, ""


def soak(minutes, start, workers):
    """The number of programs that were tried, and for each property that failed, how."""
    end, programs, failures, running = time.monotonic() + 60.0 * minutes, 0, {}, {}
    tasks = ((name, start + i) for i in count() for name in properties())
    with ProcessPoolExecutor(workers, initializer=prepare) as pool, tqdm(total=round(60 * minutes), unit="s") as bar:
        while time.monotonic() < end or running:
            while time.monotonic() < end and len(running) < 2 * workers and len(failures) < len(properties()):
                name, number = next(tasks)
                if name not in failures:
                    running[pool.submit(try_out, name, number)] = name
            done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            for task in done:
                name, (tried, failure) = running.pop(task), task.result()
                programs += tried
                if failure:
                    failures.setdefault(name, failure)
            if len(failures) == len(properties()):
                end = 0.0
            bar.set_postfix(programs=programs, failures=len(failures), refresh=False)
            bar.update(max(0, min(bar.total, round(bar.total - (end - time.monotonic()))) - bar.n))
    return programs, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0].rstrip(":"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    prepare()
    programs, failures = soak(options.minutes, options.seed, options.workers)
    for name, failure in failures.items():
        print(f"\n{name} failed:\n{failure}")
    print(
        f"{programs} programs tried with seed {options.seed}, {len(failures)} of {len(properties())} properties failed"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
