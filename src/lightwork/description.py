"""Description: an exception as text, for the store, for logs and for the submitter.

An exception is never stored as an object nor rebuilt by name; what a person
needs is its type, its text and its traceback with causes, contexts, notes and
groups. The names of all its classes go along, because `retry_on` is decided
where the exception itself no longer exists.

Describing must not fail, whatever the exception's own code does: a worker that
dies of an error report would lose the outcome. The text fits any database: lone
surrogates (file names that are not UTF-8) and NUL are shown escaped.
"""

from lightwork.error_text import class_name, text_of, trace_of
from lightwork.model import ErrorInfo


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


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
