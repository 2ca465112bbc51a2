"""Requests that two readers would read in two ways, and paths that are another one's in disguise."""

import json
import uuid

import pytest

from lightwork.net.client.client import ServerStore
from net.attacks.conftest import Attacked
from net.attacks.raw import request, said_to, session_of, signed

pytestmark = pytest.mark.process

JOB = {"task": "m:f", "id": str(uuid.uuid4())}
HIDDEN = request("/v1/jobs", json.dumps(JOB).encode())
HEAD = b"POST /v1/store/states HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nContent-Length: %d\r\n",
        b"Content-Length: %d\r\nContent-Length: 2\r\n",
        b"Content-Length: 2, %d\r\n",
        b"Content-Length: +%d\r\n",
        b"Content-Length: -%d\r\n",
        b"Content-Length: 0x%x\r\n",
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
        b"Transfer-Encoding: chunked, identity\r\nX: %d\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: %d\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n",
        b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n",
        b"Content-Length : %d\r\n",
        b"Content-Length: 2\r\n Content-Length: %d\r\n",
        b"X: a\rContent-Length: %d\r\n",
        b"X: a\0Content-Length: %d\r\n",
        b"Content-Length: 99999999999999999999%d\r\n",
    ],
)
def test_a_request_whose_end_can_be_read_in_two_ways_is_none(
    open_server: str, framing: bytes
) -> None:
    hidden = b"0\r\n\r\n" + HIDDEN
    head = HEAD + framing % (2 + len(hidden)) + b"\r\n"

    assert said_to(open_server, head + b"{}" + hidden) == [400]
    with ServerStore(open_server) as store:
        assert store.jobs() == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"2\r\n{}xx\r\n0\r\n\r\n",
        b"3\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_chunks_are_as_long_as_they_say(open_server: str, chunks: bytes) -> None:
    sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + HIDDEN

    assert said_to(open_server, sent) == [400]
    with ServerStore(open_server) as store:
        assert store.jobs() == []


def test_requests_in_one_piece_are_answered_in_turn(open_server: str) -> None:
    first = HEAD + b"Content-Length: 14\r\n\r\n" + b'{"job_ids":[]}'

    assert said_to(open_server, first + first + request("/v1/nothing")) == [200, 200, 404]


def test_a_change_of_protocol_is_not_made_and_hides_nothing(open_server: str) -> None:
    for words in (b"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==", b"h2c"):
        head = (
            b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
            + words
        )
        assert set(said_to(open_server, head + b"\r\n\r\n" + HIDDEN, ends=True)) <= {400, 404}
    with ServerStore(open_server) as store:
        assert store.jobs() == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
        b"POST /v1/jobs",
        b"POST  /v1/jobs HTTP/1.1",
        b"POST /v1/j obs HTTP/1.1",
        b"POST /v1/\xc3\xa9 HTTP/1.1",
        b"POST /v1/\0 HTTP/1.1",
        b"POST v1/jobs HTTP/1.1",
        b"POST ? HTTP/1.1",
        b"POST /v1/jobs HTTP/3.7",
        b"post /healthz HTTP/1.1",
        b"SPAM /healthz HTTP/1.1",
        b"CONNECT here:443 HTTP/1.1",
        b"CONNECT /healthz HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"TRACE /healthz HTTP/1.1",
        b"DELETE /v1/jobs HTTP/1.1",
        b"PURGE /v1/jobs HTTP/1.1",
    ],
)
def test_what_is_no_request_of_ours_is_refused(open_server: str, line: bytes) -> None:
    answered = said_to(open_server, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert set(answered) <= {400, 404, 405, 422}


PAUSE = "/v1/store/pause"
DISGUISES = [
    "//v1/store/pause",
    "/v1//store/pause",
    "/v1/./store/pause",
    "/v1/jobs/../store/pause",
    "/v1/jobs/%2e%2e/store/pause",
    "/v1/%2E%2E/v1/store/pause",
    "/v1/store/%70ause",
    "/v1/store%2fpause",
    "/v1%2Fstore%2Fpause",
    "/v1%5cstore%5cpause",
    "/v1\\store\\pause",
    "/v1/store/pause/",
    "/v1/store/pause;a",
    "/v1/store/pause%00",
    "/v1/store/pause%20",
    "/v1/store/pause.json",
    "/V1/store/Pause",
    "/v1/store/%2570ause",
    "/v1/jobs/{id}/../../store/pause",
]


@pytest.mark.parametrize("target", DISGUISES)
def test_a_path_in_disguise_is_another_path(attacked: Attacked, target: str) -> None:
    body = b'{"queue":"default"}'
    session = session_of(attacked.url, attacked.key("admin"))

    # Signed as the path that it pretends to be, and as the one that it is.
    assert set(said_to(attacked.url, signed(session, PAUSE, body, target=target))) <= {400, 401}
    if "\\" not in target and "{" not in target:
        assert said_to(attacked.url, signed(session, target, body)) == [404]
    with attacked.store("view") as store:
        assert not any(queue.paused_at for queue in store.queues())


@pytest.mark.parametrize("before", ["http://evil.example", "https://a:b@127.0.0.1:1", "HTTP://x"])
def test_a_whole_url_is_the_path_in_it(attacked: Attacked, before: str) -> None:
    looking = session_of(attacked.url, attacked.key("view"))
    url, target = attacked.url, before + PAUSE

    assert said_to(url, request(target, b'{"queue":"default"}')) == [401]
    assert said_to(url, signed(looking, PAUSE, b'{"queue":"default"}', target=target)) == [403]
    queues = "/v1/store/queues"
    assert said_to(url, signed(looking, queues, target=before + queues)) == [200]


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"]
)
def test_no_header_makes_a_request_another_one(open_server: str, name: str) -> None:
    for value in ("GET", "/healthz", "/v1/store/states"):
        assert said_to(open_server, request("/v1/nothing", b"{}", [(name, value)])) == [404]
