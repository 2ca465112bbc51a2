"""Request: what was asked and what is answered, as data; who asks."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lightwork.net.keys.roles import Role
from lightwork.net.wire.media import JSON, MSGPACK


class Caller(NamedTuple):
    """Who asks: the role and the name of the key that was proved."""

    role: Role
    name: str = ""


# Of a server without keys: whoever reaches it is on this machine.
ANYBODY_HERE: Final = Caller("admin")
# Who has proved nothing; of what needs no proof.
ANYBODY: Final = Caller("view")


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` and `query` are as they were sent, never decoded.

    Neither `Host` nor any other header says where this is, or who asks.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    # Returns when nobody waits for the answer any more.
    gone: Callable[[], Coroutine[None, None, None]] = _never

    @property
    def media(self) -> str:
        """What the body is, and the answer is to be."""
        return MSGPACK if self.headers.get("content-type") == MSGPACK else JSON


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    media: str
    headers: Mapping[str, str] = field(default_factory=dict)
