"""Output tag: the child's side of link/output_reader.py: says in the streams which function writes.

Only a child of a pool with `output=` loads this file.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TextIO

from lightwork.pool.wire import spawn_fds
from lightwork.pool.wire.display_name import name_of

_STDOUT: Final = 1
_STDERR: Final = 2
# So that a mark is written as one (PIPE_BUF).
_NAME_MAX: Final = 1000


class OutputTag:
    """What this child writes before a call of another function than the last one."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._function = ""

    def announced(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, made so that its output goes by its name."""
        name = name_of(function)

        def run(*args: Any, **kwargs: Any) -> Any:
            self._announce(name)
            try:
                return function(*args, **kwargs)
            finally:
                # Before the answer: who has the result has seen the output.
                _flush()

        return run

    def _announce(self, name: str) -> None:
        if name != self._function:
            self._function = name
            _flush()
            data = self._mark + name.encode(errors="replace")[:_NAME_MAX] + b"\n"
            for stream in (_STDOUT, _STDERR):
                os.write(stream, data)


def redirect_output(mark: bytes) -> OutputTag:
    """Let standard output and error be the pipes that came last with this process."""
    *spawn_fds.received[:], stdout, stderr = spawn_fds.received
    for pipe, stream in ((stdout, _STDOUT), (stderr, _STDERR)):
        os.dup2(pipe, stream)
        os.close(pipe)
    # New ones: those that were made for a file would look for their place in it.
    for name, stream in (("stdout", _STDOUT), ("stderr", _STDERR)):
        writer = _open(stream)
        setattr(sys, name, writer)
        setattr(sys, f"__{name}__", writer)
    return OutputTag(mark)


def _open(stream: int) -> TextIO:
    # As the pool reads it; a line is seen when it is written, not when there are many.
    return open(
        stream, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Whatever the program has put there.
        with suppress(Exception):
            stream.flush()
