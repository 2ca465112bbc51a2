"""Resting tasks: what a worker says of those that it knows and could not load; see work/resting.py.

It stands among the names of tasks that the worker publishes, behind a mark that begins no name, so that
programs of before take it for a task of which there are no jobs.
"""

from collections.abc import Iterable
from typing import Final

_MARK: Final = "-"
_END: Final = "\t"
# Characters of an error that are told; the log of the worker has more.
_TOLD: Final = 300


def say_resting(task: str, error: str) -> str:
    """Return a task and why it could not be loaded as one of the names that a worker publishes."""
    line = " ".join(error.split())[:_TOLD]
    # A lone surrogate can be in any text of an error, and in no database.
    return f"{_MARK}{task}{_END}{line}".encode("utf-8", "replace").decode()


def read_resting(published: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the names of tasks among what a worker has published, and of those that rest why."""
    known: list[str] = []
    resting: dict[str, str] = {}
    for name in published:
        if name.startswith(_MARK) and _END in name:
            task, _, error = name.removeprefix(_MARK).partition(_END)
            resting[task] = error
        else:
            known.append(name)
    return tuple(known), resting
