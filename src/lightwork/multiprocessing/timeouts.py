"""Timeouts: the one error of what was not there in time, here and in the standard library.

Theirs is no builtin TimeoutError; this one is both, so that `except TimeoutError` of any
origin catches it.
"""

import builtins
import multiprocessing


class TimeoutError(multiprocessing.TimeoutError, builtins.TimeoutError):  # noqa: A001 - the standard library's name
    """It was not there in time; nothing is lost, and the same can be asked again."""

    __module__ = "lightwork.multiprocessing"
