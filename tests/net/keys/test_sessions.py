"""All sessions of a server: bounded, and none for ever."""

import pytest

from lightwork.net.keys.handshake import ClientHandshake, ServerHandshakes
from lightwork.net.keys.keyring import Keyring, TransportKey, derive
from lightwork.net.keys.session import ClientSession, ServerSession, ServerSessions
from lightwork.net.keys.unauthorized import TEXT, Unauthorized
from net.keys.pairs import AUTHKEY, WEB1, Clock, Request


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def handshakes(clock: Clock) -> ServerHandshakes:
    return ServerHandshakes(Keyring([AUTHKEY]), now=clock)


def join(
    sessions: ServerSessions, handshakes: ServerHandshakes, key: TransportKey = WEB1
) -> tuple[ClientSession, ServerSession]:
    client = ClientHandshake(key)
    challenge = handshakes.challenge(client.hello())
    assert challenge is not None
    opened = handshakes.open(client.answer(challenge))
    assert opened is not None
    sessions.add(opened)
    return client.session(), opened


def come(sessions: ServerSessions, client: ClientSession) -> ServerSession:
    asked = Request().signed(client)
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return sessions.verify(asked.method, asked.path, asked.query, headers, asked.body)


def test_a_request_finds_its_session(handshakes: ServerHandshakes, clock: Clock) -> None:
    sessions = ServerSessions(now=clock)
    joined = [join(sessions, handshakes) for _ in range(3)]

    for client, server in joined:
        assert come(sessions, client) is server is sessions.find(client.id)


def test_a_session_ends_when_it_is_not_used(handshakes: ServerHandshakes, clock: Clock) -> None:
    sessions = ServerSessions(idle=60, now=clock)
    (used, _), (unused, _) = join(sessions, handshakes), join(sessions, handshakes)
    clock.seconds += 40
    come(sessions, used)
    clock.seconds += 40

    come(sessions, used)
    with pytest.raises(Unauthorized, match=TEXT[:20]):
        come(sessions, unused)
    assert len(sessions) == 1
    clock.seconds += 60
    assert sessions.expire() == 1
    assert len(sessions) == 0


def test_what_is_refused_keeps_no_session_alive(handshakes: ServerHandshakes, clock: Clock) -> None:
    sessions = ServerSessions(idle=60, now=clock)
    client, _ = join(sessions, handshakes)
    headers = Request().signed(client).headers
    clock.seconds += 40
    with pytest.raises(Unauthorized):
        sessions.verify("POST", b"/another", b"", headers, b"")
    clock.seconds += 40

    assert sessions.find(client.id) is None


def test_who_has_one_key_cannot_push_out_others(handshakes: ServerHandshakes, clock: Clock) -> None:
    sessions = ServerSessions(limit=10, now=clock)
    quiet, _ = join(sessions, handshakes, derive(AUTHKEY, "work", "gpu"))
    crowd = []
    for _ in range(20):
        clock.seconds += 1
        crowd.append(join(sessions, handshakes)[0])

    assert len(sessions) == 10
    assert come(sessions, quiet).name == "gpu"
    # Of the crowd those go first that were not used for longest.
    assert [sessions.find(client.id) is not None for client in crowd] == [False] * 11 + [True] * 9


def test_one_text_for_every_cause(handshakes: ServerHandshakes, clock: Clock) -> None:
    sessions = ServerSessions(now=clock)
    client, _ = join(sessions, handshakes)
    good = Request().signed(client).headers
    stranger = good | {"Signature-Input": good["Signature-Input"].replace(client.id, "A" * 22)}
    texts = set()

    for headers in ({}, stranger, good | {"Signature": "lw1=:AAAA:"}):
        with pytest.raises(Unauthorized) as caught:
            sessions.verify("POST", b"/v1/claim", b"wait=20", headers, b'{"free": 4}')
        texts.add(str(caught.value))

    assert texts == {TEXT}
