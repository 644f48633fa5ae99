"""What runs in this thread around a call."""

from _thread import _local


class Running(_local):
    """How deep we are in transforms, recordings of programs and vmaps; and whether in one of the latter two."""

    depth = 0
    recording = mapping = False


running = Running()
