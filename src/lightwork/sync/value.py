"""Value: a number, or another simple type of C, that many read and write, at every reach."""

import ctypes
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from lightwork.errors import UsageError
from lightwork.sync.asked import open_memory
from lightwork.sync.host import Host, Place
from lightwork.sync.lock import own_lock
from lightwork.sync.primitive import Primitive

# The letters of `array` and `struct`, as multiprocessing has them.
TYPES: Final[dict[str, type[Any]]] = {
    "c": ctypes.c_char,
    "u": ctypes.c_wchar,
    "b": ctypes.c_byte,
    "B": ctypes.c_ubyte,
    "h": ctypes.c_short,
    "H": ctypes.c_ushort,
    "i": ctypes.c_int,
    "I": ctypes.c_uint,
    "l": ctypes.c_long,
    "L": ctypes.c_ulong,
    "q": ctypes.c_longlong,
    "Q": ctypes.c_ulonglong,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}


def type_of(typecode: "str | type[Any]") -> type[Any]:
    """Return the type of C that a letter, or a class of ctypes, names.

    Raises:
        UsageError: It names none that is simple.
    """
    found = TYPES.get(typecode) if isinstance(typecode, str) else typecode
    if found is None or not issubclass(found, ctypes._SimpleCData):
        raise UsageError(
            f"{typecode!r} is no simple type; expected one of {', '.join(TYPES)}, or ctypes.c_int and its like"
        )
    return found


class _NoLockError(UsageError, AttributeError):
    """It was made without; `hasattr` says so, as of what `multiprocessing` makes without a lock."""


class Guarded(Primitive):
    """What Value and Array have in common: bytes, and a lock for what takes more than one step."""

    __module__ = "lightwork"

    _type: type[Any]
    # Those of its lock, if it has one.
    acquire: Callable[..., Any]
    release: Callable[[], Any]

    def _guard(self, lock: object) -> None:
        if lock is True or lock is None:
            self._lock: Any = own_lock(self)
        elif lock is False:
            self._lock = None
        else:
            self._lock = lock
        if self._lock is not None:
            self.acquire, self.release = self._lock.acquire, self._lock.release

    def _attach(self, host: Host, place: Place, *, is_named: bool) -> None:
        super()._attach(host, place, is_named=is_named)
        self._memory = open_memory(host, place)

    @property
    def get_lock(self) -> Callable[[], Any]:
        """`get_lock()`: the lock that writes take: `with value.get_lock(): value.value += 1`.

        Raises:
            UsageError: It was made with `lock=False`.
        """
        self._check_locked()
        return lambda: self._lock

    @property
    def get_obj(self) -> Callable[[], Any]:
        """`get_obj()`: the object of ctypes in the memory that processes share, as `multiprocessing` has it.

        It is read and written without the lock: take `get_lock()` around it.

        Raises:
            UsageError: It was made with `lock=False`; or it is in no memory: of threads, a store or a server.
        """
        self._check_locked()
        return lambda: self._memory.view(self._whole_type())

    def _whole_type(self) -> type[Any]:
        """Return the class of ctypes that all its bytes are."""
        return self._type

    def _check_locked(self) -> None:
        if self._lock is None:
            raise _NoLockError(
                f"{type(self).__name__} {self.name!r} was made with lock=False and has none"
            )

    def _write(self, start: int, data: bytes) -> None:
        if self._lock is None:
            self._memory.write(start, data)
            return
        with self._lock:
            self._memory.write(start, data)

    def _swap(self, start: int, expected: bytes, data: bytes) -> bool:
        if self._lock is None:
            return self._memory.swap(start, expected, data)
        with self._lock:
            return self._memory.swap(start, expected, data)

    def __enter__(self) -> object:
        return self.get_lock().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> object:
        return self.get_lock().__exit__(kind, error, trace)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "type": self._type, "lock": self._lock}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._type = state["type"]
        super().__setstate__(state)
        self._guard(False if state["lock"] is None else state["lock"])


class Value(Guarded):
    """A value as `multiprocessing.Value`.

    One read or one write is whole. What reads and then writes needs the lock, or `compare_and_set`:

        with value.get_lock():
            value.value += 1

    Its bytes are those of this machine: processes of other machines that share it have the same sizes and order.

    Args:
        typecode: "i", "d" and so on, as in `array`, or a simple class of `ctypes`.
        initial: What it is at first; default: zero.
        lock: True: a lock of its own, which writes take; a lock; or False: none.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        typecode: "str | type[Any]",
        *initial: Any,
        lock: object = True,
        name: str = "",
        where: str | Host = "processes",
    ) -> None:
        self._type = type_of(typecode)
        self._open(where, "value", name, (bytes(self._type(*initial)),))
        self._guard(lock)

    @property
    def value(self) -> Any:
        """What it is now."""
        data = self._memory.read(0, ctypes.sizeof(self._type))
        return self._type.from_buffer_copy(data).value

    @value.setter
    def value(self, new: Any) -> None:
        self._write(0, bytes(self._type(new)))

    def compare_and_set(self, expected: Any, new: Any) -> bool:
        """Make it `new` if it is `expected`, in one step; return whether it was."""
        return self._swap(0, bytes(self._type(expected)), bytes(self._type(new)))

    def __repr__(self) -> str:
        return self._shown(repr(self.value))
