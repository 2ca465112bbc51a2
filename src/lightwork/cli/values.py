"""Values: arguments and results of functions as text. Pure.

An argument is JSON if it reads as JSON, else text, as `lightwork submit` has it.
A result that is text is shown as it is, None not at all, anything else as JSON
if it can be.
"""

import json
from typing import Any

import msgspec

from lightwork.cli.output import shown
from lightwork.errors import UsageError


def read_value(text: str) -> Any:
    """Return the value that a word of the command line or a line of input means.

    Raises:
        UsageError: It is JSON beyond all reason.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text
    except RecursionError as error:
        raise UsageError("an argument is nested too deeply to be read as JSON") from error


def show_value(value: Any) -> bytes:
    """Return a result as a line of output."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape") + b"\n"
    try:
        return msgspec.json.encode(value) + b"\n"
    except (TypeError, ValueError, OverflowError, RecursionError):
        return shown(value).encode("utf-8", "backslashreplace") + b"\n"


def _refuse_constant(word: str) -> Any:
    # Python's reader knows NaN and Infinity, JSON does not: they are text.
    raise ValueError(word)
