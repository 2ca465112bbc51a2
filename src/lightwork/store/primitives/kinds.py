"""Kinds: which machines there are, and their states, arguments and answers as msgpack."""

import hashlib
import typing
import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lightwork.errors import PayloadError, StoreError, UsageError
from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Machine, Plain

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder().decode

# What often changes nothing: it is looked at first, which takes no lock.
READING: Final = frozenset(
    {
        *(("lock", "locked"), ("lock", "count")),
        ("semaphore", "value"),
        *(("event", "is_set"), ("event", "wait")),
        ("barrier", "state"),
        *(("queue", "size"), ("queue", "state")),
        *(("value", "get"), ("value", "read")),
        *(("dict", "get"), ("dict", "keys"), ("dict", "items"), ("dict", "len")),
    }
)
# Of any kind: whoever asks need not read the primitive's kind to know that a look may do.
READING_VERBS: Final = frozenset(verb for _kind, verb in READING)


class Kind:
    """A machine, and between its states and bytes."""

    def __init__(self, machine: Machine[Any]) -> None:
        self.machine = machine
        state = typing.get_type_hints(type(machine).begin)["return"]
        self._decode = msgspec.msgpack.Decoder(state).decode

    def state_of(self, stored: bytes) -> Any:
        """Return the state that the bytes stand for.

        Raises:
            StoreError: They stand for none.
        """
        try:
            return self._decode(stored)
        except (msgspec.MsgspecError, TypeError) as error:
            raise StoreError(
                f"the stored state of a {self.machine.kind} cannot be read ({error}); forget it with "
                "`lightwork locks remove NAME`"
            ) from error

    def bytes_of(self, state: Any) -> bytes:
        """Return the state as it is stored."""
        return _pack(state)


_KINDS: Final[Mapping[str, Kind]] = {word: Kind(machine) for word, machine in MACHINES.items()}


def kind_of(word: str) -> Kind:
    """Return a kind by its word.

    Raises:
        UsageError: There is none.
    """
    kind = _KINDS.get(word)
    if kind is None:
        raise UsageError(
            f"{word!r:.40} is no kind of primitive; expected one of {', '.join(sorted(_KINDS))}"
        )
    return kind


def primitive_id(kind: str, name: str) -> uuid.UUID:
    """Return the id of the primitive of that kind and name, there or not."""
    text = f"{kind}\0{name}".encode("utf-8", "surrogatepass")
    return uuid.UUID(bytes=digest(text))


def check_size(value: bytes, largest: int, what: str) -> None:
    """Raise unless a database keeps it as one value.

    It may end the connection instead of saying so, and whoever asks would ask again and again.

    Raises:
        PayloadError: It has more bytes than `largest`.
    """
    if len(value) > largest:
        raise PayloadError(
            f"{len(value):,} bytes are more than this store keeps as one value ({largest:,}), and so much "
            f"{what} at once; put and get fewer items at a time, or keep large values elsewhere"
        )


def digest(text: bytes) -> bytes:
    """Return 16 bytes for any number of them."""
    return hashlib.blake2b(text, digest_size=16).digest()


def packed(value: Plain) -> bytes:
    """Return a plain value as bytes."""
    return _pack(value)


def arguments_of(stored: bytes) -> tuple[Plain, ...]:
    """Return arguments as they were given.

    Raises:
        UsageError: The bytes are no list.
    """
    try:
        found = unpacked(stored)
    except msgspec.DecodeError as error:
        raise UsageError(f"arguments of a primitive are msgpack: {error}") from error
    if not isinstance(found, tuple):
        raise UsageError(f"arguments of a primitive are a list, not {type(found).__name__}")
    return found


def unpacked(stored: bytes) -> Plain:
    """Return a plain value as it was packed.

    Raises:
        msgspec.DecodeError: These are no bytes of one.
    """
    value: Plain = _plain(_unpack(stored))
    return value


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list) else value
