"""Error info: an exception as text, for the store, for logs and for the submitter.

An exception is never stored as an object nor rebuilt by name; what a person
needs is its type, its text and its traceback with causes, contexts, notes and
groups. The names of all its classes go along, because `retry_on` is decided
where the exception itself no longer exists.

Describing must not fail, whatever the exception's own code does: a worker that
dies of an error report would lose the outcome. The text fits any database: lone
surrogates (file names that are not UTF-8) and NUL are shown escaped.

A job that needs another to succeed fails with it, and so do those behind it. Each of them is
told of the first one, in a line that can be read back and does not grow along a chain.
"""

import re
from typing import Final, NamedTuple

from lightwork.error_text import class_name, text_of, trace_of
from lightwork.model import ErrorInfo

# The type of such an error, as a store keeps it; one that a task raises has its module before it.
DEPENDENCY_FAILED: Final = "DependencyFailed"
_LONGEST_CAUSE: Final = 1000
_CAUSE: Final = re.compile(r"job ([0-9a-f-]{36}) of (.+?) failed: (.*?): (.*)", re.DOTALL)


class Cause(NamedTuple):
    """The job that failed by itself, and its error; texts are "" where they are not known."""

    job_id: str
    task: str
    error_type: str
    error_text: str


def describe_error(error: BaseException) -> tuple[ErrorInfo, tuple[str, ...]]:
    """Return what the store keeps of an error, and the names of its classes.

    The first class is the error's own; each name is `module.QualName`, those of
    builtins included, while ErrorInfo.type leaves `builtins.` out.
    """
    names = tuple(
        _printable(class_name(cls)) for cls in type(error).__mro__ if issubclass(cls, BaseException)
    )
    info = ErrorInfo(
        type=names[0].removeprefix("builtins."),
        text=_printable(text_of(error)),
        traceback=_printable(trace_of(error)),
    )
    return info, names


def root_cause(job_id: object, task: str, error: ErrorInfo) -> ErrorInfo:
    """Return the error of a job that needs this one, which has failed."""
    if error.type == DEPENDENCY_FAILED:
        return error
    text = f"job {job_id} of {task} failed: {error.type}: {error.text[:_LONGEST_CAUSE]}"
    return ErrorInfo(type=DEPENDENCY_FAILED, text=text)


def cause_of(error: ErrorInfo) -> Cause:
    """Return what `root_cause` was told."""
    found = _CAUSE.fullmatch(error.text)
    return Cause(*found.groups()) if found else Cause("", "", "", error.text)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
