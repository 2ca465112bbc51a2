"""Unbundle: what the items of a bundle gave, as objects. See bundle.py for the theory."""

from typing import Any

from lightwork.pool.bundle import FAILED, Outcome
from lightwork.pool.pickling import load
from lightwork.pool.remote import unpack_exception


def open_outcome(outcome: Outcome) -> tuple[list[Any], dict[int, BaseException]]:
    """Return what each item gave, and by position those that failed, with None in their places."""
    values: list[Any] = []
    failures: dict[int, BaseException] = {}
    start, data = 0, outcome.results.data
    for end in outcome.results.ends_as_numbers():
        if end & FAILED:
            failures[len(values)] = unpack_exception(data[start : end - FAILED])
            values.append(None)
        else:
            try:
                values.append(load(data[start:end]))
            except BaseException as error:
                # Raised when its result is loaded here: its own, like what it raises.
                failures[len(values)] = error
                values.append(None)
        start = end & ~FAILED
    values += outcome.last
    failure = unpack_exception(outcome.last_error) if outcome.last_error else outcome.lost
    if failure is not None:
        failures[len(values)] = failure
        values.append(None)
    return values, failures
