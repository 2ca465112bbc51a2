"""The handshake: what each part of it is there to refuse."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.errors import AuthError, UsageError
from lightwork.net.keys import base64url
from lightwork.net.keys.cookies import LIFETIME, MAX_COOKIE
from lightwork.net.keys.handshake import (
    Challenge,
    ClientHandshake,
    Hello,
    Proof,
    ServerHandshakes,
    Welcome,
)
from lightwork.net.keys.keyring import Keyring, derive, from_authkey
from net.keys.pairs import (
    AUTHKEY,
    OTHER,
    WEB1,
    Clock,
    Request,
    flipped_text,
    open_pair,
    server_of,
)


def challenge_of(server: ServerHandshakes, hello: Hello) -> Challenge:
    challenge = server.challenge(hello)
    assert challenge is not None
    return challenge


def test_both_sides_get_one_session() -> None:
    client, server = open_pair()

    assert client.id == server.id
    assert client._keys == server._keys
    assert (server.role, server.name) == ("submit", "web1")


def test_no_two_sessions_have_a_key_in_common() -> None:
    server = server_of()
    keys = [key for _ in range(3) for key in open_pair(server=server)[1]._keys]

    assert len({*keys, WEB1.secret}) == 7


@pytest.mark.parametrize(
    "message", [Hello("k", "n"), Challenge("s", "p"), Proof("s", "p"), Welcome("s")]
)
def test_messages_travel_as_json(message: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(message), type=type(message)) == message


def test_a_server_with_another_key_is_not_answered() -> None:
    client = ClientHandshake(WEB1)
    challenge = challenge_of(server_of(OTHER), client.hello())

    with pytest.raises(AuthError, match="compare the key files") as caught:
        client.answer(challenge)

    assert caught.value.__dict__["key_id"] == WEB1.key_id
    with pytest.raises(UsageError, match="no server has proved"):
        client.session()


def test_a_client_with_another_key_opens_nothing() -> None:
    # It speaks to itself as the server that it would need, so that its own checks pass.
    server, posed = server_of(), server_of(OTHER)
    client = ClientHandshake(derive(OTHER, "submit", "web1"))
    client.answer(challenge_of(posed, client.hello()))
    hello = Hello(WEB1.key_id, client.hello().nonce)

    cookie = challenge_of(server, hello).session
    proof = ClientHandshake(derive(OTHER, "submit", "web1"))

    assert server.open(Proof(cookie, proof.hello().nonce)) is None


@pytest.mark.parametrize("revoked", [[], ["web1"]])
def test_an_unknown_or_revoked_key_gets_a_challenge_of_the_same_look(revoked: list[str]) -> None:
    server = ServerHandshakes(Keyring([AUTHKEY], revoked=revoked))
    unknown = derive(OTHER, "submit", "web1")
    known = ClientHandshake(WEB1).hello()

    challenges = [
        challenge_of(server, hello) for hello in (known, Hello(unknown.key_id, known.nonce))
    ]

    assert len({len(challenge.session) for challenge in challenges}) == 1
    assert {len(base64url.decode(challenge.proof)) for challenge in challenges} == {32}
    # Its holder cannot tell that it was revoked from that the server is another.
    client = ClientHandshake(WEB1 if revoked else unknown)
    with pytest.raises(AuthError):
        client.answer(challenge_of(server, client.hello()))


def test_the_key_that_nobody_has_opens_nothing_either() -> None:
    # Whoever could find it out: here a test, which asks the keyring.
    keyring = Keyring([AUTHKEY], revoked=["web1"])
    nobodys, is_known = keyring.look_up(WEB1.key_id)
    server, client = ServerHandshakes(keyring), ClientHandshake(nobodys)

    proof = client.answer(challenge_of(server, client.hello()))

    assert not is_known
    assert server.open(proof) is None


def test_a_proof_of_one_handshake_is_none_of_another() -> None:
    server, clients = server_of(), [ClientHandshake(WEB1) for _ in range(2)]
    proofs = [client.answer(challenge_of(server, client.hello())) for client in clients]

    mixed = Proof(proofs[0].session, proofs[1].proof)

    assert server.open(mixed) is None
    # Nor does the attempt spoil anything.
    assert server.open(proofs[0]) is not None


def test_the_servers_proof_sent_back_is_no_proof() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    challenge = challenge_of(server, client.hello())

    assert server.open(Proof(challenge.session, challenge.proof)) is None


def test_a_clients_proof_sent_back_is_no_challenge() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    proof = client.answer(challenge_of(server, client.hello()))

    with pytest.raises(AuthError):
        client.answer(Challenge(proof.session, proof.proof))


def test_a_challenge_to_another_hello_is_not_answered() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    old = challenge_of(server, ClientHandshake(WEB1).hello())

    with pytest.raises(AuthError):
        client.answer(old)


def test_a_proof_for_another_server_of_the_same_key_opens_nothing() -> None:
    # Or of the same server, after a restart.
    client = ClientHandshake(WEB1)
    proof = client.answer(challenge_of(server_of(), client.hello()))

    assert server_of().open(proof) is None


def test_a_proof_opens_one_session_however_often_it_comes() -> None:
    clock = Clock()
    server = ServerHandshakes(Keyring([AUTHKEY]), now=clock)
    client = ClientHandshake(WEB1)
    proof = client.answer(challenge_of(server, client.hello()))
    assert server.open(proof) is not None

    again = []
    for _ in range(8):
        again.append(server.open(proof))
        clock.seconds += LIFETIME / 4

    assert again == [None] * 8


def test_a_cookie_ends_and_so_does_what_is_remembered_of_it() -> None:
    clock = Clock()
    server = ServerHandshakes(Keyring([AUTHKEY]), now=clock)
    late, client = ClientHandshake(WEB1), ClientHandshake(WEB1)
    proof = late.answer(challenge_of(server, late.hello()))
    assert server.open(client.answer(challenge_of(server, client.hello()))) is not None
    clock.seconds += LIFETIME

    assert server.open(proof) is None
    open_pair(server=server)
    assert len(server._opened) == 1


def test_before_the_proof_a_server_keeps_nothing() -> None:
    server = server_of()
    for _ in range(100):
        challenge_of(server, ClientHandshake(WEB1).hello())
        server.open(Proof("x", "y"))

    assert not server._opened


@pytest.mark.parametrize(("shown", "own"), [(b"theirs", b"mine"), (b"theirs", b""), (b"", b"mine")])
def test_somebody_between_with_another_certificate_is_noticed(shown: bytes, own: bytes) -> None:
    client = ClientHandshake(WEB1, channel_binding=shown)

    with pytest.raises(AuthError, match="between"):
        client.answer(challenge_of(server_of(binding=own), client.hello()))


def test_the_certificate_of_both_sides_may_be_one() -> None:
    server = server_of(binding=b"hash of it")
    client = ClientHandshake(WEB1, channel_binding=b"hash of it")

    assert server.open(client.answer(challenge_of(server, client.hello()))) is not None


def test_while_keys_change_both_are_good() -> None:
    server = server_of(OTHER, AUTHKEY)

    for key in (WEB1, derive(OTHER, "submit", "web1"), from_authkey(AUTHKEY), from_authkey(OTHER)):
        assert open_pair(key, server)[1].role == key.role


def test_one_bit_of_a_challenge_is_enough() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    challenge = challenge_of(server, client.hello())

    for session in flipped_text(challenge.session):
        with pytest.raises(AuthError):
            client.answer(Challenge(session, challenge.proof))
    for proof in flipped_text(challenge.proof):
        with pytest.raises(AuthError):
            client.answer(Challenge(challenge.session, proof))


def test_one_bit_of_a_proof_is_enough() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    proof = client.answer(challenge_of(server, client.hello()))

    opened = [server.open(Proof(session, proof.proof)) for session in flipped_text(proof.session)]
    opened += [server.open(Proof(proof.session, text)) for text in flipped_text(proof.proof)]

    assert {*opened} == {None}
    assert server.open(proof) is not None


def test_one_bit_of_a_hello_is_enough() -> None:
    server, client = server_of(), ClientHandshake(WEB1)
    hello = client.hello()
    others = [Hello(text, hello.nonce) for text in flipped_text(hello.key_id)]
    others += [Hello(hello.key_id, text) for text in flipped_text(hello.nonce)]

    for challenge in filter(None, map(server.challenge, others)):
        with pytest.raises(AuthError):
            client.answer(challenge)


@given(st.text(max_size=120), st.text(max_size=60), st.sampled_from(["lightwork/1", "lightwork/2"]))
def test_any_hello_gets_a_challenge_or_nothing(key_id: str, nonce: str, protocol: str) -> None:
    for text in (nonce, ClientHandshake(WEB1).hello().nonce):
        challenge = SERVER.challenge(Hello(key_id, text, protocol))
        assert challenge is None or len(challenge.session) <= MAX_COOKIE


def test_another_protocol_is_not_spoken() -> None:
    hello = ClientHandshake(WEB1).hello()

    assert SERVER.challenge(Hello(hello.key_id, hello.nonce, "lightwork/2")) is None


SERVER = server_of()
TEXTS = st.text() | st.text(alphabet="Ab1-_=", max_size=400)


@given(TEXTS, TEXTS)
def test_any_proof_and_any_challenge_are_refused(session: str, proof: str) -> None:
    assert SERVER.open(Proof(session, proof)) is None
    with pytest.raises(AuthError):
        ClientHandshake(WEB1).answer(Challenge(session, proof))


def test_the_first_request_of_a_session_is_good() -> None:
    client, server = open_pair()

    Request().signed(client).come(server)
