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
        try:
            if end & FAILED:
                raise unpack_exception(data[start : end - FAILED])
            values.append(load(data[start:end]))
        except BaseException as error:
            # Raised by the item, or by loading its result here: either is its own.
            failures[len(values)] = error
            values.append(None)
        start = end & ~FAILED
    values += outcome.last
    if failure := unpack_exception(outcome.last_error) if outcome.last_error else outcome.lost:
        failures[len(values)] = failure
        values.append(None)
    return values, failures
