"""Large values for tests, without numpy, and what children do with them."""

import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex

from lightwork.pool.memory.large_value import BULK_MIN


class Array:
    """Bytes that travel out of band, as a numpy array's do."""

    def __init__(self, memory: Any) -> None:
        self.memory = memoryview(memory)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return Array, (pickle.PickleBuffer(self.memory),)


def filled(value: int, size: int = BULK_MIN) -> Array:
    return Array(bytearray([value]) * size)


def values(array: Array) -> set[int]:
    """Return every value that occurs in it."""
    return set(bytes(array.memory))


def size_and_values(array: Array) -> tuple[int, set[int]]:
    return len(array.memory), values(array)


def echo(value: object) -> object:
    return value


def overwrite(array: Array, value: int) -> set[int]:
    array.memory[:] = bytes([value]) * len(array.memory)
    return values(array)


KEPT: list[Array] = []


def keep(array: Array) -> None:
    KEPT.append(array)


def kept() -> list[set[int]]:
    return [values(array) for array in KEPT]


def forget() -> None:
    KEPT.clear()


def keep_in_a_fork(array: Array, ready: str, go: str, out: str) -> None:
    """Leave a process that looks at the array when `go` exists; the child forgets it."""
    if os.fork() == 0:
        os.setpgid(0, 0)
        Path(ready).write_text(str(os.getpid()))
        while not Path(go).exists():
            time.sleep(0.002)
        Path(out).write_text(repr(values(array)))
        os._exit(0)
    while not Path(ready).exists():
        time.sleep(0.002)


def fail_with(array: Array) -> NoReturn:
    raise ValueError(len(array.memory))


def die_with(array: Array) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def return_many(count: int, size: int) -> list[Array]:
    return [filled(n % 256, size) for n in range(count)]


def first_of(ref: Any) -> tuple[int, int]:
    """Return the first value of a referenced array and the identity of the array."""
    array = ref.get()
    return array.memory[0], id(array)


def keep_ref(ref: Any) -> None:
    KEPT.append(ref.get())


def overwrite_ref(ref: Any) -> None:
    overwrite(ref.get(), 0)


def look_nowhere(*_: object) -> None:
    pass


def describe(*args: Any, **kwargs: Any) -> list[tuple[str, int, bool]]:
    """Return type and size of each, and whether it is the first one itself."""
    given = [*args, *kwargs.values()]
    return [(type(value).__name__, len(value), value is given[0]) for value in given]


def change_through(buffer: bytearray, holder: list[bytearray]) -> int:
    """Change the bytes in the holder, and return what is in the buffer."""
    holder[0][0] = 9
    return buffer[0]
