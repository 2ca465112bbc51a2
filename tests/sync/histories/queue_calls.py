"""Queue calls: what can be asked of a queue, with what is recorded of the answer."""

import queue
from collections.abc import Callable
from typing import Any

import lightwork as lw
from sync.histories.queue_model import SHUT_DOWN


def true(act: Callable[[], object]) -> Callable[[], bool]:
    """Return what does the same and answers only that it is done."""

    def done() -> bool:
        act()
        return True

    return done


def put(one: "lw.Queue[str]", item: str, timeout: float) -> bool | str:
    return _put(true(lambda: one.put(item, timeout=timeout, block=bool(timeout))))  # type: ignore[return-value]


def put_many(one: "lw.Queue[str]", items: list[str], timeout: float) -> int | str:
    return _put(lambda: one.put_many(items, timeout=timeout, block=bool(timeout)))


def _put(act: Callable[[], int]) -> int | str:
    try:
        return act()
    except queue.Full:
        return False
    except lw.ShutDown:
        return SHUT_DOWN


def got(one: "lw.Queue[str]", timeout: float) -> str | None:
    return _got(lambda: one.get(timeout=timeout, block=bool(timeout)))  # type: ignore[no-any-return]


def got_many(one: "lw.Queue[str]", most: int, timeout: float) -> list[str] | str | None:
    return _got(lambda: one.get_many(most, timeout=timeout, block=bool(timeout)))  # type: ignore[no-any-return]


def lent(one: "lw.Queue[str]", timeout: float) -> "lw.Unacked[str] | str | None":
    return _got(lambda: one.get(timeout=timeout, block=bool(timeout), ack=False))  # type: ignore[no-any-return]


def lent_many(
    one: "lw.Queue[str]", most: int, timeout: float
) -> "list[lw.Unacked[str]] | str | None":
    return _got(lambda: one.get_many(most, timeout=timeout, block=bool(timeout), ack=False))  # type: ignore[no-any-return]


def _got(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except queue.Empty:
        return None
    except lw.ShutDown:
        return SHUT_DOWN


def is_done(one: "lw.Queue[str]") -> bool:
    try:
        one.task_done()
    except ValueError:
        return False
    return True


def is_joined(one: "lw.Queue[str]", timeout: float) -> bool:
    try:
        one.join(timeout)
    except TimeoutError:
        return False
    return True
