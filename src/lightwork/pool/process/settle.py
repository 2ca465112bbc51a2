"""Settle: turn what a pool decided about a call into its future's state.

Runs outside every lock, because a future's callbacks are user code. Nothing a
value, an exception or a callback does may reach the caller: it is a dispatcher.
"""

import logging
from concurrent.futures import CancelledError
from typing import Any, Final, TypeAlias

from lightwork.error_text import named_text_of
from lightwork.errors import RemoteError
from lightwork.pool.call.future import Future, end_cancelled, release
from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.call.options import CallOptions, Split
from lightwork.pool.call.reporter import report
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.map.bundle import Outcome
from lightwork.pool.memory.result_arena import Delivery
from lightwork.pool.wire.frames import Frame, Kind
from lightwork.pool.wire.load_exception import unpack_exception
from lightwork.pool.wire.pickling import load, load_apart

log = logging.getLogger(__name__)

# As numbers: these are compared for every call.
_VALUE: Final = int(Kind.VALUE)
_PROGRESS: Final = int(Kind.PROGRESS)


# What can have become of a call; of part of it: Split.
Decided: TypeAlias = Frame | Delivery | Outcome | Split | BaseException


def settle(call: ProcessCall, decided: Decided) -> None:
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
    # 15 ms to import, and most calls are run once.
    from lightwork.pool.call.retrying import after_error, after_pool_error  # noqa: PLC0415

    try:
        if isinstance(decided, BaseException):
            return after_pool_error(options, decided)
        if isinstance(decided, Frame) and decided.kind == Kind.ERROR:
            return after_error(options, unpack_exception(decided.body))
    except BaseException:
        # Then it was the last: `settle` ends the future with what there is.
        log_failure(log, "attempt_not_judged")
    return None


def _report(call: ProcessCall, body: bytes) -> None:
    report(call.options.on_progress, call.future, *load(body))


def _tell(call: ProcessCall, split: Split) -> None:
    if call.options.on_split is not None:
        call.options.on_split(split)


def _settle(call: ProcessCall, decided: Frame | Delivery | Outcome | BaseException) -> None:
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
            end_cancelled(future)
        else:
            _fail(call, decided)
    finally:
        # Only now: until it is done, cancel() must be answered by the call.
        release(future)


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


def _fail(call: ProcessCall, error: BaseException) -> None:
    if call.options.attempt > 1:
        from lightwork.pool.call.retrying import note_attempts  # noqa: PLC0415 - as above

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
