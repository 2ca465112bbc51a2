"""Description: an exception as text, for the store, for logs and for the submitter.

An exception is never stored as an object nor rebuilt by name; what a person
needs is its type, its text and its traceback with causes, contexts, notes and
groups. The names of all its classes go along, because `retry_on` is decided
where the exception itself no longer exists.

Describing must not fail, whatever the exception's own code does: a worker that
dies of an error report would lose the outcome. The text fits any database: lone
surrogates (file names that are not UTF-8) and NUL are shown escaped.
"""

import traceback
from collections.abc import Callable

from lightwork.model import ErrorInfo


def describe_error(error: BaseException) -> tuple[ErrorInfo, tuple[str, ...]]:
    """Return what the store keeps of an error, and the names of its classes.

    The first class is the error's own; each name is `module.QualName`, those of
    builtins included, while ErrorInfo.type leaves `builtins.` out.
    """
    names = tuple(
        _printable(f"{cls.__module__}.{cls.__qualname__}")
        for cls in type(error).__mro__
        if issubclass(cls, BaseException)
    )
    info = ErrorInfo(
        type=names[0].removeprefix("builtins."),
        text=_survive(lambda: str(error)),
        traceback=_survive(lambda: "".join(traceback.format_exception(error))),
    )
    return info, names


def _survive(describe: Callable[[], str]) -> str:
    try:
        return _printable(describe())
    except BaseException as problem:
        # str() of an exception is user code: it may raise anything, SystemExit included.
        return f"<not available: describing it raised {type(problem).__qualname__}>"


def _printable(text: str) -> str:
    # Also turns an instance of a str subclass into plain text.
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
