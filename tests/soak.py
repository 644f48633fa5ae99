"""Run the properties of test_properties.py on new random programs for as long as you like:

    .venv/bin/python tests/soak.py --minutes 30

It shows how far it is, and in the end how many programs it has tried and, for each property that failed, the smallest
program that does; the exit status is then 1. Ctrl-C ends it early. The same --seed draws the same programs again.
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

    return {name: test for name, test in vars(test_properties).items() if hasattr(test, "hypothesis")}


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
    format = "{percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    with (
        ProcessPoolExecutor(workers, initializer=prepare) as pool,
        tqdm(total=60.0 * minutes, bar_format=format) as bar,
    ):
        try:
            while (left := end - time.monotonic()) > 0.0 or running:
                while left > 0.0 and len(running) < 2 * workers and len(failures) < len(properties()):
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
                bar.n = min(bar.total, max(0.0, bar.total - left))
                bar.set_postfix_str(f"{programs} programs, {len(failures)} failures")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    return programs, failures


def positive(kind):
    def parse(text):
        if not kind(text) > 0:
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return kind(text)

    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0].rstrip(":"))
    parser.add_argument("--minutes", type=positive(float), default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="where the programs start")
    parser.add_argument("--workers", type=positive(int), default=os.cpu_count(), help="processes (default: one a core)")
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
