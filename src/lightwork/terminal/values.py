"""Values: arguments and results of functions as text. Pure.

An argument is JSON if it reads as JSON, else text, as `lightwork submit` has it.
A result that is text is shown as it is, None not at all, anything else as JSON
if it can be.
"""

import json
from typing import Any

import msgspec

from lightwork.errors import UsageError
from lightwork.terminal.output import shown


def read_value(text: str) -> Any:
    """Return the value that a word of the command line or a line of input means.

    Raises:
        UsageError: It is JSON beyond all reason.
    """
    try:
        return read_json(text)
    except UsageError:
        raise
    except ValueError:
        return text


def read_json(text: str) -> Any:
    """Return what a text says in JSON, which knows no NaN and no Infinity.

    Raises:
        ValueError: It is not JSON.
        UsageError: It is JSON beyond all reason.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
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
    raise ValueError(word)
