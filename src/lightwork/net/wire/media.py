"""Media: values as bytes: msgpack between lightwork's own, JSON for everybody else."""

import functools
from collections.abc import Callable
from typing import Any, Final

import msgspec

MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"

_pack: Final = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_write: Final = msgspec.json.Encoder().encode


def encode(value: object, media: str) -> bytes:
    """Return the value as bytes of that kind."""
    return _pack(value) if media == MSGPACK else _write(value)


def decode(body: bytes, kind: Any, media: str) -> Any:
    """Return the value of a type.

    Raises:
        msgspec.ValidationError: It is of another.
        msgspec.DecodeError: These are no bytes of that kind.
    """
    try:
        return _decoder(kind, media)(body)
    except (RecursionError, UnicodeDecodeError) as error:
        # Of who nests a thousand lists, or writes text that is none.
        raise msgspec.DecodeError(str(error)) from error


@functools.lru_cache(512)
def _decoder(kind: Any, media: str) -> Callable[[bytes], Any]:
    if media == MSGPACK:
        return msgspec.msgpack.Decoder(kind).decode
    return msgspec.json.Decoder(kind).decode
