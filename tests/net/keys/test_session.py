"""Signed requests and answers: what is changed, repeated, mixed up or somebody else's is refused."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.errors import AuthError, UsageError
from lightwork.net.keys.keyring import derive
from lightwork.net.keys.replay_window import WINDOW
from lightwork.net.keys.session import ServerSession
from lightwork.net.keys.unauthorized import TEXT, Unauthorized
from net.keys.pairs import (
    AUTHKEY,
    Request,
    flipped_bytes,
    flipped_text,
    open_pair,
    server_of,
)


def reason_of(request: Request, session: ServerSession) -> str:
    with pytest.raises(Unauthorized) as caught:
        request.come(session)
    # Whatever the cause, and that is all that is ever said.
    assert str(caught.value) == TEXT
    return caught.value.reason


def changed(request: Request) -> Iterator[Request]:
    """Every request that differs in one bit of anything that is signed."""
    yield from (replace(request, method=text) for text in flipped_text(request.method))
    yield from (replace(request, path=data) for data in flipped_bytes(request.path))
    yield from (replace(request, query=data) for data in flipped_bytes(request.query))
    yield from (replace(request, body=data) for data in flipped_bytes(request.body))
    for name, value in request.headers.items():
        for text in flipped_text(value):
            yield replace(request, headers=request.headers | {name: text})


def test_one_bit_of_a_request_is_enough() -> None:
    client, server = open_pair()
    request = Request().signed(client)

    reasons = {reason_of(other, server) for other in changed(request)}

    assert reasons == {
        "Signature-Input",
        "another session",
        "not to be signed",
        "signature",
        "body",
    }
    # None of these thousands has taken the number from the real one.
    request.come(server)


@pytest.mark.parametrize(
    "other",
    [
        Request(path=b"/v1/claim?wait=20", query=b""),
        Request(path=b"/v1", query=b"/claim?wait=20"),
        Request(path=b"/v1/./claim"),
        Request(path=b"/v1/%63laim"),
        Request(path=b"//v1/claim"),
        Request(query=b"wait=20&"),
        Request(query=b""),
        Request(method="GET"),
        Request(body=b""),
    ],
)
def test_a_signature_is_for_one_request_as_it_is_spelled(other: Request) -> None:
    client, server = open_pair()
    headers = Request().signed(client).headers

    with pytest.raises(Unauthorized):
        replace(other, headers=headers).come(server)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
def test_a_request_without_one_of_its_headers_is_refused(name: str) -> None:
    client, server = open_pair()
    request = Request().signed(client)

    with pytest.raises(Unauthorized):
        replace(request, headers={k: v for k, v in request.headers.items() if k != name}).come(
            server
        )


def test_a_request_is_good_once() -> None:
    client, server = open_pair()
    request = Request().signed(client)
    request.come(server)

    assert reason_of(request, server) == "replayed"


def test_requests_may_overtake_each_other_by_the_size_of_the_window() -> None:
    client, server = open_pair()
    requests = [Request().signed(client) for _ in range(WINDOW + 1)]
    requests[-1].come(server)

    assert reason_of(requests[0], server) == "replayed"
    for request in reversed(requests[1:-1]):
        request.come(server)
    assert {reason_of(request, server) for request in requests} == {"replayed"}


def test_what_is_forged_takes_no_number() -> None:
    client, server = open_pair()
    request = Request().signed(client)
    forged = replace(request, headers=request.headers | {"Signature": "lw1=:AAAA:"})
    swapped = replace(request, body=b"another")
    assert reason_of(forged, server) == "signature"
    assert reason_of(swapped, server) == "body"
    far = request.headers["Signature-Input"].replace('nonce="1"', f'nonce="{10**18 - 1}"')
    assert reason_of(replace(request, headers=request.headers | {"Signature-Input": far}), server)

    request.come(server)


def test_a_request_of_another_session_is_refused() -> None:
    handshakes = server_of()
    (client, _), (_, server) = open_pair(server=handshakes), open_pair(server=handshakes)

    assert reason_of(Request().signed(client), server) == "another session"


def test_an_answer_sent_back_is_no_request_and_a_request_no_answer() -> None:
    client, server = open_pair()
    request = Request().signed(client)
    request.come(server)
    answer = server.sign(request.headers, 200, request.body)

    assert reason_of(replace(request, headers=answer), server) == "Signature-Input"
    with pytest.raises(AuthError):
        client.verify(request.headers, 200, request.headers, request.body)
    # The keys of the two directions differ as well, should both ever be spelled alike.
    assert client._keys.to_client != client._keys.to_server


def test_an_answer_is_believed_as_it_was_sent() -> None:
    client, server = open_pair()
    request = Request().signed(client)
    request.come(server)
    answer = server.sign({k.lower(): v for k, v in request.headers.items()}, 200, b"[1]")

    client.verify(request.headers, 200, answer, b"[1]")
    client.verify(request.headers, 200, {k.lower(): v for k, v in answer.items()}, b"[1]")


def test_one_bit_of_an_answer_is_enough() -> None:
    client, server = open_pair()
    request = Request().signed(client)
    request.come(server)
    body = b'{"jobs": []}'
    answer = server.sign(request.headers, 200, body)
    refused = 0

    others = [(status, answer, body) for status in (201, 404, 500)]
    others += [(200, answer, data) for data in flipped_bytes(body)]
    others += [(200, answer, body[:-1]), (200, answer, b""), (200, {}, body)]
    for name, value in answer.items():
        others += [(200, answer | {name: text}, body) for text in flipped_text(value)]
    for status, headers, data in others:
        with pytest.raises(AuthError, match="same request id"):
            client.verify(request.headers, status, headers, data)
        refused += 1

    assert refused > 1500


def test_an_answer_to_another_request_is_none() -> None:
    # Even to the same request, sent before.
    client, server = open_pair()
    first, second = Request().signed(client), Request().signed(client)
    for request in (first, second):
        request.come(server)
    answers = [server.sign(request.headers, 200, b"ok") for request in (first, second)]

    for request, answer in ((first, answers[1]), (second, answers[0])):
        with pytest.raises(AuthError):
            client.verify(request.headers, 200, answer, b"ok")


def test_an_answer_of_another_session_is_none() -> None:
    handshakes = server_of()
    (client, _), (_, server) = open_pair(server=handshakes), open_pair(server=handshakes)
    request = Request().signed(client)

    with pytest.raises(AuthError):
        client.verify(request.headers, 200, server.sign(request.headers, 200, b""), b"")


@pytest.mark.parametrize(
    "sign",
    [
        lambda session: session.sign("post", b"/a", b"", b""),
        lambda session: session.sign("POST", b"a", b"", b""),
        lambda session: session.sign("POST", b"/a?b", b"", b""),
        lambda session: session.sign("POST", b"/a b", b"", b""),
        lambda session: session.sign("POST", b"/a\nb", b"", b""),
        lambda session: session.sign("POST", b"/a", "\xe9".encode(), b""),
    ],
)
def test_what_no_request_begins_with_is_not_signed(sign: Callable[[object], object]) -> None:
    client, _ = open_pair()

    with pytest.raises(UsageError, match="no request can be sent so"):
        sign(client)


def test_threads_never_sign_with_the_same_number() -> None:
    client, server = open_pair()
    signed: list[Request] = []

    def sign() -> None:
        signed.extend([Request().signed(client) for _ in range(100)])

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for request in signed:
        request.come(server)

    assert len({request.headers["Signature-Input"] for request in signed}) == 800


CLIENT, SERVER = open_pair(derive(AUTHKEY, "view", "fuzz"))
HEADERS = Request().signed(CLIENT).headers
# As servers of HTTP hand them on.
VALUES = st.text(st.characters(codec="latin-1"), max_size=200) | st.sampled_from(
    sorted(HEADERS.values())
)


@given(
    st.text(max_size=8) | st.just("POST"),
    st.binary(max_size=40) | st.just(b"/v1/claim"),
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from([name.lower() for name in HEADERS]), VALUES),
    st.binary(max_size=40),
)
def test_any_request_is_unauthorized_and_nothing_else(
    method: str, path: bytes, query: bytes, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(Unauthorized):
        SERVER.verify(method, path, query, headers, body)


@given(
    st.integers(0, 999),
    st.dictionaries(st.sampled_from(sorted(HEADERS)), VALUES),
    st.binary(max_size=40),
)
def test_any_answer_is_an_auth_error_and_nothing_else(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(AuthError):
        CLIENT.verify(HEADERS, status, headers, body)
