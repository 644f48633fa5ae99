"""Files that are written whole or not at all."""

from __future__ import annotations

import os


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, which then takes its name; OSError if that fails."""
    target = os.path.realpath(path)
    is_file = os.path.isfile(target) or not os.path.exists(target)  # a device or a directory is not to be replaced
    neighbour = os.path.join(os.path.dirname(target), f".{os.getpid()}-{id(content):x}.tmp") if is_file else target
    try:
        with open(neighbour, "wb") as file:
            file.write(content)
        if is_file:
            if os.path.exists(target):
                os.chmod(neighbour, os.stat(target).st_mode)
            os.replace(neighbour, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        if is_file and os.path.exists(neighbour):
            os.remove(neighbour)
