"""Failures: errors as they travel: what kind, in which words, with which attributes.

An error is rebuilt only as one of the classes in `_KINDS`; a name that is not there is a StoreError. So no
text from the network ever chooses code.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lightwork.error_roots import Error
from lightwork.errors import (
    AuthError,
    BadSchedule,
    DuplicateJob,
    JobNotFound,
    LeaseLost,
    PayloadError,
    SchemaMismatch,
    StoreError,
    StoreUnavailable,
    TaskNotFound,
    UsageError,
)

log = logging.getLogger(__name__)

_FIELDS: Final = (str, int, float, bool)


class Failure(msgspec.Struct, frozen=True):
    """An error, as the body of an answer that is not 200."""

    kind: str
    text: str
    fields: dict[str, str | int | float | bool] = {}


# With the status of their answers. First come, first served: the special before the general.
_KINDS: Final[Mapping[type[Error], int]] = {
    TaskNotFound: 422,
    BadSchedule: 422,
    PayloadError: 422,
    UsageError: 422,
    DuplicateJob: 409,
    JobNotFound: 404,
    LeaseLost: 409,
    AuthError: 401,
    SchemaMismatch: 500,
    StoreUnavailable: 503,
    StoreError: 500,
}
_BY_NAME: Final = {kind.__name__: kind for kind in _KINDS}


class Refused(Exception):  # noqa: N818 - it becomes an answer, and is seen by nobody
    """The request is answered with this failure, and nothing was done."""

    def __init__(self, status: int, kind: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.failure = Failure(kind, text)


def failure_of(error: BaseException) -> tuple[int, Failure]:
    """Return the status and the body that say what went wrong."""
    if isinstance(error, Refused):
        return error.status, error.failure
    for kind, status in _KINDS.items():
        if isinstance(error, kind):
            fields = {
                name: value for name, value in vars(error).items() if isinstance(value, _FIELDS)
            }
            return status, Failure(kind.__name__, str(error), fields)
    if isinstance(error, ArithmeticError):
        # Numbers have 64 bits in every database, and seconds become milliseconds there.
        return 422, Failure("UsageError", f"a number is none that a store can keep: {error}")
    # A defect, here or in the store: its traceback is for the server's log alone.
    log.error("call_failed error=%r", error, exc_info=error)
    return 500, Failure(
        "StoreError", f"the server failed: {type(error).__name__}; its log says more"
    )


def error_of(failure: Failure) -> Error:
    """Return the error that was raised at the other side."""
    kind = _BY_NAME.get(failure.kind, StoreError)
    fields: dict[str, Any] = dict(failure.fields)
    return kind(failure.text, **fields)
