"""Answers: with --json, standard output is ours alone.

Whatever a function prints while a verb runs goes to standard error, whoever prints it:
this process, a thread, a module that is imported, a child, a program, a library in C.
So descriptor 1 itself leads to standard error, before any child is started, and the
answers go through a copy of the old one.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Final, TextIO

import click

_STDOUT: Final = 1
_STDERR: Final = 2
_ANSWERS: Final = "lightwork.answers"


@contextlib.contextmanager
def keep_answers_apart() -> Iterator[None]:
    """Inside the block only what is written to `answers()` reaches standard output."""
    old = sys.stdout
    stream = _copy_of(old)
    click.get_current_context().meta[_ANSWERS] = stream
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        # The descriptor stays: what prints when the program ends is no answer either.
        if stream is not old:
            with contextlib.suppress(OSError):
                stream.close()  # A reader that left was told of already.


def answers() -> TextIO:
    """Return where answers go."""
    context = click.get_current_context(silent=True)
    found: TextIO | None = context.meta.get(_ANSWERS) if context else None
    return found or sys.stdout


def forget_closed_terminal() -> None:
    """Drop what cannot be said any more because the terminal is gone.

    Else the interpreter tries again at its very end, and makes 120 of every exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        except (AttributeError, ValueError):
            pass  # There is none, or it is closed.


def _copy_of(stream: TextIO) -> TextIO:
    stream.flush()
    try:
        if stream.fileno() != _STDOUT:
            return stream
    except (OSError, ValueError):
        # No file: a program that calls a verb takes its answers elsewhere.
        return stream
    copy = os.fdopen(
        os.dup(_STDOUT), "w", encoding=stream.encoding, errors=stream.errors, newline=""
    )
    try:
        os.dup2(_STDERR, _STDOUT)
    except OSError:  # There is no standard error.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)
    return copy
