"""Whatever bytes come: an answer that is no error of the server's, and where it is a refusal, nothing was done.

Two ways to make bytes: any at all, and values of the very types that a route decodes, as extreme as these
have them. Examples are made in the same order in each run.
"""

import asyncio
import contextlib
import dataclasses
import enum
import sqlite3
import types
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwork.model import Lane
from lightwork.net.keys.keyring import Keyring
from lightwork.net.server.app import App
from lightwork.net.server.gate import Gate, KeyGate
from lightwork.net.server.routes import Route
from lightwork.net.wire.about import ABOUT, HELLO, PROOF
from lightwork.store.sqlstore import open_store
from net.keys.pairs import AUTHKEY
from store.steps import registered

bounded = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Asked:
    """An app that is asked without a socket, and the file that it keeps."""

    def __init__(self, folder: Path, gate: Gate | None = None) -> None:
        self.store = open_store(f"sqlite:///{folder}/work.db")
        self.app = App(self.store, gate=gate)
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self.app.begin())
        self._looking = sqlite3.connect(folder / "work.db")

    def close(self) -> None:
        self._looking.close()
        self._loop.run_until_complete(self.app.end())
        self._loop.close()
        self.store.close()

    def version(self) -> int:
        """Return a number that is another one after each change of the file."""
        (number,) = self._looking.execute("pragma data_version").fetchone()
        return int(number)

    def status(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> int:
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "method": method,
            "raw_path": path,
            "query_string": query,
            "headers": headers,
        }
        coming = [{"type": "http.request", "body": body}]
        sent: list[Any] = []

        async def receive() -> Any:
            return coming.pop() if coming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            sent.append(message)

        self._loop.run_until_complete(self.app(scope, receive, send))
        return int(sent[0]["status"])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with contextlib.closing(Asked(tmp_path_factory.mktemp("open"))) as asked:
        yield asked


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    gate = KeyGate(Keyring([AUTHKEY]))
    with contextlib.closing(Asked(tmp_path_factory.mktemp("keyed"), gate)) as asked:
        yield asked


# --- any bytes

MSGPACK: Final = [(b"host", b"localhost"), (b"content-type", b"application/msgpack")]
KINDS: Final = (b"application/json", b"application/msgpack", b"text/plain", b"\xff", b"")
latin = st.binary(max_size=60)
signing = st.from_regex(rb'lw1=\("@method" "@path" "@query" "content-digest"\).{0,80}')
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"content-length", b"signature", b"signature-input", b"content-digest", b"host"]
        )
        | latin.map(bytes.lower),
        latin | signing | st.just(b"\xb2") | st.just(b"9" * 5000),
    ),
    max_size=4,
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=200)
    | plain.map(msgspec.json.encode)
    | plain.map(msgspec.msgpack.encode)
    | st.sampled_from([b"[", b'{"a":', b"\x91", b"\x81\xa1a"]).map(lambda one: one * 3000)
)


def nothing_is_wrong(asked: Asked, method: str, target: bytes, sent: Any, body: bytes) -> int:
    before = asked.version()
    status = asked.status(method, target, sent, body)
    assert 200 <= status < 500, status
    if status != 200:
        assert asked.version() == before
    return status


@bounded
@given(st.data())
def test_any_bytes_are_answered(opened: Asked, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(opened.app.routes.all))
    path = route.path.replace("{id}", str(uuid.UUID(int=7))).encode()
    query = data.draw(st.just(b"") | latin.map(b"?".__add__) | latin.map(b"?call=".__add__))
    kind = data.draw(st.sampled_from(KINDS))
    sent = [(b"host", b"localhost"), (b"content-type", kind), *data.draw(headers)]

    nothing_is_wrong(opened, route.method, path + query, sent, data.draw(bodies))


@bounded
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "X"]),
    target=latin.map(b"/".__add__) | st.sampled_from([ABOUT, HELLO, PROOF]).map(str.encode),
    sent=headers,
    body=bodies,
)
def test_of_who_has_no_key_any_bytes_are_refused(
    keyed: Asked, method: str, target: bytes, sent: Any, body: bytes
) -> None:
    for kind in (b"application/json", b"application/msgpack"):
        status = nothing_is_wrong(
            keyed, method, target, [(b"host", b"localhost"), (b"content-type", kind), *sent], body
        )
        assert status in (401, 413)


# --- values of the types that are decoded

wild_text = st.text(max_size=8) | st.sampled_from(
    ["", "\0", "a\0b", "default", "m:f", "x" * 70_000, "\U0010ffff", "' or 1=1 --", "../..", "é"]
)
wild_int = st.integers(-3, 3) | st.sampled_from(
    [2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1]
)
wild_float = st.floats() | st.integers(-2, 2).map(float) | st.just(1e300)
wild_time = st.datetimes(timezones=st.just(UTC)) | st.sampled_from(
    [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
SIMPLE: Final[Mapping[Any, st.SearchStrategy[Any]]] = {
    str: wild_text,
    int: wild_int,
    float: wild_float,
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    uuid.UUID: st.uuids() | st.just(uuid.UUID(int=7)),
    datetime: wild_time,
    timedelta: st.timedeltas(),
    type(None): st.none(),
    Any: plain,
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Make values of a type as msgpack has them, mostly as they should be."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values_of(one) for one in of])
    if origin is typing.Literal:
        return st.sampled_from(of)
    if origin is tuple and of[-1] is not Ellipsis:
        return st.tuples(*map(values_of, of))
    if origin in (list, tuple, set, frozenset, Sequence):
        return st.lists(values_of(of[0]), max_size=3)
    if origin in (dict, Mapping):
        return st.dictionaries(values_of(of[0]), values_of(of[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from([one.value for one in kind])
    return fields_of(kind)


def fields_of(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    if issubclass(kind, tuple):
        return st.tuples(*(values_of(hints[name]) for name in kind._fields))
    fields = (
        {one.name: one.required for one in msgspec.structs.fields(kind)}
        if issubclass(kind, msgspec.Struct)
        else {
            one.name: one.default is one.default_factory is dataclasses.MISSING
            for one in dataclasses.fields(kind)
        }
    )
    made = {name: values_of(hints[name]) for name in fields}
    return st.fixed_dictionaries(
        {name: made[name] for name, is_needed in fields.items() if is_needed},
        optional={name: made[name] for name, is_needed in fields.items() if not is_needed},
    )


_requests: Final = dict[Any, st.SearchStrategy[Any]]()


def requests_of(route: Route) -> st.SearchStrategy[Any]:
    if route.request not in _requests:
        _requests[route.request] = values_of(route.request)
    return _requests[route.request]


@settings(bounded, max_examples=1000)
@given(st.data())
def test_any_values_are_answered(opened: Asked, data: st.DataObject) -> None:
    asked = [route for route in opened.app.routes.all if route.request is not None]
    route = data.draw(st.sampled_from(asked))
    body = msgspec.msgpack.encode(data.draw(requests_of(route)), enc_hook=str)
    path = route.path.replace("{id}", str(uuid.UUID(int=7))).encode()

    nothing_is_wrong(opened, route.method, path, MSGPACK, body)


@pytest.fixture
def emptied(tmp_path: Path) -> Iterator[Asked]:
    with contextlib.closing(Asked(tmp_path)) as asked:
        yield asked


def test_whatever_is_kept_is_in_nobodys_way(emptied: Asked) -> None:
    asked, store = emptied, emptied.store
    shape = next(one for one in asked.app.routes.all if one.path == "/v1/store/submit")

    @bounded
    @given(requests_of(shape))
    def submit(said: Any) -> None:
        for job in said["jobs"]:
            job["id"] = uuid.uuid4()
        body = msgspec.msgpack.encode(said, enc_hook=str)
        assert asked.status("POST", shape.path.encode(), MSGPACK, body) in (200, 409, 422)

    submit()
    worker = registered(store)
    claimed = 0
    for view in store.summary().lanes:
        claimed += len(store.claim(worker, lanes=[Lane(view.queue, view.task)], limit=1000))
    store.release_others(worker, held=[])
    for step in (store.promote, store.expire, store.unblock, store.rescue, store.fold, store.jobs):
        step()

    # Most of what is said makes no sense, and is refused.
    assert claimed > 0
