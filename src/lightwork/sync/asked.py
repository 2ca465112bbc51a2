"""Asked: locks, memory and queues where there is no shorter way than to ask the host's machine."""

import contextlib
from typing import Any, Final

from lightwork.errors import Error, UsageError
from lightwork.machines.shapes import Plain
from lightwork.sync.host import (
    Got,
    HasShortcuts,
    Host,
    LockWay,
    Memory,
    Place,
    QueueWay,
    Refusal,
)

# Seconds that a Ctrl-C waits for what it has cut off.
_SOON: Final = 1.0


def open_lock(host: Host, place: Place) -> LockWay:
    """Return how this lock is taken: the host's own way if it has one."""
    return host.open_lock(place) if isinstance(host, HasShortcuts) else AskedLock(host, place)


def open_memory(host: Host, place: Place) -> Memory:
    """Return the bytes of a Value or an Array: shared memory if the host has some."""
    return host.open_memory(place) if isinstance(host, HasShortcuts) else AskedMemory(host, place)


def open_queue(host: Host, place: Place) -> QueueWay:
    """Return how this queue is used: by shared memory if the host has some."""
    return host.open_queue(place) if isinstance(host, HasShortcuts) else AskedQueue(host, place)


def _release(_granted: Plain) -> tuple[str, tuple[Plain, ...]]:
    return "release", ()


class AskedLock:
    """See `LockWay` in sync/host.py."""

    def __init__(self, host: Host, place: Place) -> None:
        self._host, self._place = host, place

    def acquire(self, timeout: float | None) -> tuple[int, bool]:
        """Take it; return its token, and whether the last holder was lost with it."""
        # Any, here and below: what a verb answers is said in its machine. Nothing is called once it is granted.
        if timeout == 0:
            grant: Any = self._host.ask(self._place, "try", timeout=0.0, undo=_release_if_granted)
            if grant is None:
                raise TimeoutError
        else:
            grant = self._host.ask(self._place, "acquire", timeout=timeout, undo=_release)
        return grant  # type: ignore[no-any-return]

    def release(self) -> None:
        """Let go of it once."""
        self._host.ask(self._place, "release")

    def release_grant(self, token: int) -> None:
        """Let go of it if this grant has it still, taken once; a host that does not answer is not waited for."""
        with contextlib.suppress(Error, Refusal, TimeoutError):
            self._host.ask(self._place, "release_grant", (token,), timeout=_SOON)

    def force_release(self) -> bool:
        """Take it from whoever holds it; return whether it was held."""
        return bool(self._host.ask(self._place, "break"))

    def is_locked(self) -> bool:
        """Whether anybody holds it."""
        return bool(self._host.ask(self._place, "locked"))

    def count(self) -> int:
        """How often this thread holds it; of what is not reentrant, this process."""
        count: Any = self._host.ask(self._place, "count")
        return int(count)


def _release_if_granted(grant: Plain) -> tuple[str, tuple[Plain, ...]]:
    return ("release", ()) if grant is not None else ("", ())


class AskedMemory:
    """See `Memory` in sync/host.py. All of an Array is one value of the host: a write of one item writes them all there."""

    def __init__(self, host: Host, place: Place) -> None:
        self._host, self._place = host, place

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`."""
        content: Any = self._host.ask(self._place, "read", (start, stop))
        return bytes(content)

    def write(self, start: int, data: bytes) -> None:
        """Put `data` in the place of what is from `start` on."""
        self._host.ask(self._place, "write", (start, data))

    def swap(self, start: int, expected: bytes, data: bytes) -> bool:
        """Write `data` if `expected` is there; return whether it was."""
        got: Any = self._host.ask(self._place, "get")
        version, content = got
        stop = start + len(data)
        while content[start:stop] == expected:
            whole = content[:start] + data + content[stop:]
            answer: Any = self._host.ask(self._place, "swap", (version, whole))
            is_done, version, content = answer
            if is_done:
                return True
        return False

    def view(self, kind: type[Any]) -> Any:
        """Refuse: no memory is shared where a host is asked."""
        raise UsageError(
            f"{kind.__name__} {self._place.name!r} of {self._host.where} lies in no memory of this machine's processes; read and "
            "write its `value` or its items, which is the same at every reach"
        )


_NO_RING: Final = (0, list[bytes](), (0, 0), (0, 0))


class AskedQueue:
    """See `QueueWay` in sync/host.py."""

    def __init__(self, host: Host, place: Place) -> None:
        self._host, self._place = host, place

    def put(self, items: tuple[bytes, ...], *, block: bool, timeout: float | None) -> int:
        """Put as many as find room in time; return how many."""
        limit = timeout if block else 0.0
        count: Any = self._host.ask(
            self._place, "put" if block else "try_put", (items,), timeout=limit
        )
        return int(count)

    def get(self, most: int, *, ack: bool, block: bool, timeout: float | None) -> Got:
        """Get at least one item, at most so many."""
        limit, undo = timeout if block else 0.0, _put_back if ack else _nack
        items: Any = self._host.ask(
            self._place, "get" if block else "try_get", (most, ack), timeout=limit, undo=undo
        )
        # Nothing is called once they are got.
        return items, _NO_RING

    def give_back(self, got: Got, *, ack: bool) -> None:
        """Undo a get."""
        self._host.ask(self._place, *(_put_back if ack else _nack)(got[0]))

    def let_go(self, verb: str, numbers: tuple[int, ...]) -> None:
        """Ack or nack what was got without."""
        self._host.ask(self._place, verb, (numbers,))

    def done(self) -> None:
        """Count one item as done."""
        self._host.ask(self._place, "done", (1,))

    def join(self, timeout: float | None) -> None:
        """Wait until all is done."""
        self._host.ask(self._place, "join", timeout=timeout)

    def shutdown(self, *, immediate: bool) -> None:
        """Let nothing more be put."""
        self._host.ask(self._place, "shutdown", (immediate,))

    def state(self) -> tuple[int, int, int, bool, int]:
        """Return maxsize, size, unfinished, whether it is shut down, and how many are given."""
        state: Any = self._host.ask(self._place, "state")
        maxsize, size, unfinished, is_shut_down, given = state
        return maxsize, size, unfinished, is_shut_down, given


def _put_back(items: Plain) -> tuple[str, tuple[Plain, ...]]:
    return "put_back" if items else "", (items,)


def _nack(items: Plain) -> tuple[str, tuple[Plain, ...]]:
    numbers = (
        tuple(item[0] for item in items if isinstance(item, tuple))
        if isinstance(items, tuple)
        else ()
    )
    return "nack" if numbers else "", (numbers,)
