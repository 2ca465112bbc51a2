"""Resolve: turn what a pool decided about a call into its future's state.

Runs outside every lock, because a future's callbacks are user code. Nothing a
value, an exception or a callback does may reach the caller: it is a dispatcher.
"""

import logging
from concurrent.futures import CancelledError
from typing import Any, Final, TypeAlias

from lightwork.error_text import named_text_of
from lightwork.errors import RemoteError
from lightwork.pool.again import after_error, after_pool_error, note_attempts
from lightwork.pool.bundle import Outcome
from lightwork.pool.call import CallOptions, Split
from lightwork.pool.frames import Frame, Kind
from lightwork.pool.future import Future
from lightwork.pool.link import Call
from lightwork.pool.log_failure import log_failure
from lightwork.pool.pickling import load, load_apart
from lightwork.pool.progress import report
from lightwork.pool.remote import unpack_exception
from lightwork.pool.shelf import Delivery

log = logging.getLogger(__name__)

# As numbers: these are compared for every call.
_VALUE: Final = int(Kind.VALUE)
_PROGRESS: Final = int(Kind.PROGRESS)


# What can have become of a call; of part of it: Split.
Decided: TypeAlias = Frame | Delivery | Outcome | Split | BaseException


def resolve(call: Call, decided: Decided) -> None:
    """Give the call's future its value or its exception; or tell whoever asked what happens."""
    try:
        if isinstance(decided, Frame) and decided.kind == _PROGRESS:
            _report(call, decided.body)
        elif isinstance(decided, Split):
            _tell(call, decided)
        else:
            _settle(call, decided)
    except BaseException:
        # A listener that raises SystemExit, a future that the user resolved himself ...
        log_failure(log, "future_not_resolved call=%s", call.function.name)


def following_options(options: CallOptions, decided: Decided) -> CallOptions | None:
    """Return the options of the attempt that follows this end of one, if there is to be one."""
    try:
        if isinstance(decided, BaseException):
            return after_pool_error(options, decided)
        if isinstance(decided, Frame) and decided.kind == Kind.ERROR:
            return after_error(options, unpack_exception(decided.body))
    except BaseException:
        # Then it was the last: `resolve` ends the future with what there is.
        log_failure(log, "attempt_not_judged")
    return None


def _report(call: Call, body: bytes) -> None:
    report(call.options.on_progress, call.future, *load(body))


def _tell(call: Call, split: Split) -> None:
    if call.options.on_split is not None:
        call.options.on_split(split)


def _settle(call: Call, decided: Frame | Delivery | Outcome | BaseException) -> None:
    future = call.future
    try:
        if isinstance(decided, Frame):
            if decided.kind == _VALUE:
                _load_value(future, decided)
            else:
                _fail(call, _unpack(decided.body))
        elif isinstance(decided, Outcome):
            future.set_result(decided)
        elif isinstance(decided, Delivery):
            _load_value(future, decided)
        elif isinstance(decided, CancelledError):
            future._end_cancelled()
        else:
            _fail(call, decided)
    finally:
        # Only now: until it is done, cancel() must be answered by the call.
        future._forget_call()


def _unpack(body: bytes) -> BaseException:
    try:
        return unpack_exception(body)
    except BaseException as error:
        # Something must be said in any case: a future that stays pending is a hang.
        return RemoteError(
            f"the call failed, and its error cannot be read: {named_text_of(error)}",
            error_type="",
            error_text="",
            traceback="",
        )


def _fail(call: Call, error: BaseException) -> None:
    note_attempts(call.options, error)
    call.future.set_exception(error)


def _load_value(future: Future[Any], answer: Frame | Delivery) -> None:
    try:
        value = load(answer.body) if isinstance(answer, Frame) else load_apart(answer.pieces())
    except BaseException as error:
        # The result cannot be rebuilt here: the caller's to know, and only his.
        future.set_exception(error)
    else:
        future.set_result(value)
