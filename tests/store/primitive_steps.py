"""Steps that tests of primitives share: sessions, requests, and their answers as plain values."""

import itertools
import uuid
from typing import Any

import msgspec

from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import Reply, Request, SessionInfo
from store.steps import execute

LEASE = 60.0


class Session:
    """A process that uses primitives; its requests have numbers of their own."""

    def __init__(self, store: Store, *, lease: float = LEASE) -> None:
        self.store = store
        self.id = uuid.uuid4()
        self._numbers = itertools.count(1)
        store.open_session(SessionInfo(id=self.id, host="host", pid=7), lease=lease)

    def request(self, primitive: uuid.UUID, *, thread: int = 1) -> Request:
        number = next(self._numbers)
        return Request(session=self.id, thread=thread, number=number, primitive=primitive)

    def ask(self, primitive: uuid.UUID, verb: str, *args: Any, thread: int = 1) -> Reply:
        return ask(self.store, self.request(primitive, thread=thread), verb, *args)


def ask(store: Store, request: Request, verb: str, *args: Any) -> Reply:
    return store.ask_primitive(request, verb, msgspec.msgpack.encode(args))


def made(store: Store, kind: str, *spec: Any, name: str = "it", is_named: bool = True) -> uuid.UUID:
    return store.open_primitive(kind, name, msgspec.msgpack.encode(spec), is_named=is_named)


def lock(store: Store, name: str = "it", *, is_named: bool = True) -> uuid.UUID:
    return made(store, "lock", False, name=name, is_named=is_named)


def value(reply: Reply) -> Any:
    assert reply.outcome == "answered", reply
    return msgspec.msgpack.decode(reply.value)


def end_lease(store: Store, session: Session) -> None:
    """Let the lease of a session run out now."""
    execute(
        store,
        "UPDATE primitive_session SET lease_until = 1 WHERE id = :id",
        {"id": session.id.bytes},
    )
