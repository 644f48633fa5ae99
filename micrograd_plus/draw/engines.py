"""The programs that make a picture of a text in graphviz's language.

There are three, and the first that can do it does: graphviz-pure, which comes as a Python package, needs nothing of the
machine and draws the same everywhere; the program `dot` of an installed graphviz; and the graphviz inside pygraphviz.
Each is a command that reads the text and prints the picture, in a process of its own: there it may warn, crash or hang.
The environment variable MICROGRAD_PLUS_ENGINE chooses one of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from time import monotonic
from typing import IO

import graphviz  # type: ignore[import-untyped]

from .fit import fitted

TIMEOUT = 60.0  # seconds
LARGEST = 500_000_000  # bytes: what prints more than that goes on without end
INSTALL = {
    "graphviz-pure": "pip install graphviz-pure",
    "dot": "install the program graphviz (apt install graphviz, brew install graphviz, ...)",
    "pygraphviz": "pip install pygraphviz",
}

PURE = ("svg", "png", "jpg", "jpeg", "jpe")  # what graphviz-pure draws

# How a whole picture begins and ends.
WHOLE = {"svg": (b"<?xml", b"</svg>"), "png": (b"\x89PNG", b"IEND\xaeB`\x82"), "pdf": (b"%PDF", b"%%EOF")}


def _graphviz_pure() -> list[str]:
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        files = []
    programs = [str(file.locate()) for file in files if file.stem == "graphviz-pure"]
    programs = [program for program in programs if os.path.isfile(program)] or [shutil.which("graphviz-pure") or ""]
    return [os.path.realpath(programs[0])] if programs[0] else []


def _dot() -> list[str]:
    program = shutil.which("dot")
    return [program] if program else []


def _pygraphviz() -> list[str]:
    program = "import sys, pygraphviz; layout, format, *_ = [arg[2:] for arg in sys.argv[1:]];"
    program += "graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode());"
    program += "sys.stdout.buffer.write(graph.draw(format=format, prog=layout))"
    return [sys.executable, "-P", "-c", program] if find_spec("pygraphviz") else []


ENGINES: dict[str, Callable[[], list[str]]] = {"graphviz-pure": _graphviz_pure, "dot": _dot, "pygraphviz": _pygraphviz}


def picture(
    source: str, arguments: list[str], format: str, engine: str | None = None, timeout: float | None = None
) -> bytes:
    """The picture, by the first engine that can draw it: what its command with these arguments, `dot`'s, prints.

    `engine` is the one to take, the environment's if None; `timeout` how many seconds each may take. ValueError if
    there is no engine of that name; RuntimeError that says why none could draw, and what else to install.
    """
    engine = engine or os.environ.get("MICROGRAD_PLUS_ENGINE", "")
    if engine and engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}: the engines are {', '.join(ENGINES)}")
    if timeout is None:
        timeout = _seconds(os.environ.get("MICROGRAD_PLUS_TIMEOUT") or TIMEOUT)
    failures = []
    for name in [engine] if engine else ENGINES:
        if command := ENGINES[name]():
            try:
                drawn = _output([*command, *arguments], source.encode(), timeout)
                begin, end = WHOLE.get(format, (b"", b""))
                if not drawn.startswith(begin) or end not in drawn[-1024:] or not drawn:
                    raise RuntimeError(f"printed something else: {' '.join(str(drawn[:30])[2:-1].split())!r}")
            except (OSError, RuntimeError) as error:
                failures.append(f"{name} {getattr(error, 'strerror', None) or error}")
            else:
                return fitted(drawn) if format == "svg" else drawn
    other = "pygraphviz" if format in PURE else "graphviz-pure"  # which is no better, or cannot do it
    ways = [INSTALL[name] for name in ENGINES if name != other and not ENGINES[name]()]
    advice = ", or ".join(ways)
    if failures:
        raise RuntimeError(f"this cannot be drawn as {format}: {'; '.join(failures)}{'; or ' * bool(ways)}{advice}")
    if engine:
        raise RuntimeError(f"the engine {engine} is not installed: {INSTALL[engine]}, or choose none, for any will do")
    none = graphviz.ExecutableNotFound(["dot"])  # which programs written for graphviz look out for
    none.args = (f"to draw, {advice}; .source works without them",)
    raise none


def _seconds(timeout: str | float) -> float:
    try:
        return float(timeout)
    except ValueError:
        raise ValueError(f"MICROGRAD_PLUS_TIMEOUT={timeout!r} is no number of seconds") from None


def _output(command: list[str], given: bytes, timeout: float) -> bytes:
    """What the command prints; RuntimeError with its own reason, in one line, if it fails, or does not end."""
    with tempfile.TemporaryFile() as source, ThreadPoolExecutor(2) as readers:
        source.write(given)
        source.seek(0)
        try:
            process = subprocess.Popen(
                command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise RuntimeError(f"does not start: {error.strerror}") from None
        try:
            printed = [readers.submit(_read, stream) for stream in (process.stdout, process.stderr) if stream]
            end = monotonic() + timeout
            picture, complaint = [output.result(end - monotonic()) for output in printed]
            status = process.wait(max(end - monotonic(), 0.0))
        except (TimeoutError, subprocess.TimeoutExpired):
            more = "timeout= or MICROGRAD_PLUS_TIMEOUT allows more"
            raise RuntimeError(f"took longer than {timeout:g} s ({more})") from None
        finally:
            _kill(process)
    if not status:
        return picture
    lines = [" ".join(line.split()) for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    lines = lines or [f"ended with status {status}"]
    reason = next((line for line in lines if line.startswith("Error")), lines[-1])
    raise RuntimeError(f"says {reason.partition('. Use one of')[0][:200]}" if complaint.strip() else reason)


def _read(stream: IO[bytes]) -> bytes:
    with stream:
        return stream.read(LARGEST)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process, and where that can be done those that it has started, which may hold its output open."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    process.wait()
