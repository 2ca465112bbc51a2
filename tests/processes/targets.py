"""What the processes and pools of these tests run."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from lightwork import multiprocessing as mp

FOREVER = 600


def tell_who(pipe: Any) -> None:
    parent = mp.parent_process()
    pipe.send((mp.current_process().name, os.getpid(), parent.name if parent else None))


def tell_sum(pipe: Any, first: int, second: int) -> None:
    pipe.send(first + second)


def leave(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


def fail() -> None:
    raise RuntimeError("as asked")


def wait_for_interrupt(pipe: Any) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        pipe.send("ready")
        while True:
            # One that comes right before a sleep is found after it.
            time.sleep(0.1)
    except KeyboardInterrupt:
        sys.exit(7)


def say_and_sleep(pipe: Any) -> None:
    pipe.send("ready")
    time.sleep(FOREVER)


def start_methods_below(pipe: Any) -> None:
    pipe.send(mp.get_start_method())


def double(value: int) -> int:
    return 2 * value


def odd_fails(value: int) -> int:
    if value % 2:
        raise ValueError(value)
    return value


def die(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_three(value: int) -> int:
    if value == 3:
        die()
    return value


def pid(_: object = None) -> int:
    return os.getpid()


def sleep_forever(_: object = None) -> None:
    time.sleep(FOREVER)


def set_and_sleep(event: Any) -> None:
    event.set()
    time.sleep(FOREVER)


class Adder(mp.Process):
    """A subclass with a `run` of its own."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(name="adder")
        self.pipe = pipe

    def run(self) -> None:
        self.pipe.send(40 + 2)


def run_out_of_time() -> None:
    raise TimeoutError("mine")


def two_and_an_error() -> Iterator[int]:
    yield 0
    yield 1
    raise RuntimeError("no third")


_kept: list[str] = []


def remember(word: str) -> None:
    _kept.append(word)


def recall() -> str:
    return _kept[0]


def end_at_seven(n: int) -> int:
    if n == 7:
        raise StopIteration
    return n
