"""What children log in these tests."""

import logging
import threading

import calls

log = logging.getLogger("shop.orders")


def say(level: int, text: str) -> None:
    log.log(level, "%s!", text, extra={"colour": "blue", "lock": threading.Lock()})


def say_with_error() -> None:
    try:
        raise LookupError("no such order")
    except LookupError:
        log.exception("failed")


def say_in_thread(count: int) -> None:
    def run() -> None:
        for number in range(count):
            log.warning("number %d", number)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def say_and_fault() -> None:
    log.warning("the last words")
    import ctypes

    ctypes.string_at(0)


class SaysWhenDropped:
    def __del__(self) -> None:
        log.warning("dropped")


def make_rings(count: int) -> int:
    """Leave to the garbage collector, at any moment, what logs when it goes."""
    for _ in range(count):
        ring: list[object] = [SaysWhenDropped()]
        ring.append(ring)
    return count


def say_and_wait(path: str) -> None:
    log.warning("waiting")
    calls.wait_for(path)


def enabled(*levels: int) -> list[bool]:
    return [log.isEnabledFor(level) for level in levels]
