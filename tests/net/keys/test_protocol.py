"""The protocol as docs/security.md writes it down, made again of hashlib alone.

Other languages will speak it by that page: what it says must not change unseen.
"""

import base64
import hashlib
import hmac
import struct

from lightwork.net.keys.handshake import ClientHandshake
from lightwork.net.keys.keyring import derive
from net.keys.pairs import AUTHKEY, Request, server_of

BINDING = hashlib.sha256(b"a certificate").digest()


def digest(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret: bytes, info: str, salt: bytes = bytes(32)) -> bytes:
    return digest(digest(salt, secret), info.encode() + b"\x01")


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def quoted(data: bytes) -> str:
    return f":{base64.b64encode(data).decode()}:"


def test_a_session_and_its_signatures_are_made_as_the_page_says() -> None:
    prefix = text(hkdf(AUTHKEY, "lightwork key id 1")[:6])
    key = hkdf(hkdf(AUTHKEY, "lightwork transport 1"), "submit/web1")
    client, server = (
        ClientHandshake(derive(AUTHKEY, "submit", "web1"), channel_binding=BINDING),
        server_of(binding=BINDING),
    )

    hello = client.hello()
    challenge = server.challenge(hello)
    assert challenge is not None
    proof = client.answer(challenge)
    opened, session = server.open(proof), client.session()
    assert opened is not None

    assert hello.key_id == f"submit.web1.{prefix}"
    nonce = base64.urlsafe_b64decode(hello.nonce + "=")
    said = [b"lightwork/1", hello.key_id.encode(), nonce, challenge.session.encode(), BINDING]
    written = b"".join(struct.pack(">I", len(part)) + part for part in said)
    transcript = hashlib.sha256(written).digest()
    assert challenge.proof == text(digest(key, b"lightwork/1 server" + transcript))
    assert proof.proof == text(digest(key, b"lightwork/1 client" + transcript))
    assert session.id == text(hashlib.sha256(b"lightwork/1 session" + transcript).digest()[:16])

    request = Request().signed(session)
    body = quoted(hashlib.sha256(request.body).digest())
    covered = (
        f'("@method" "@path" "@query" "content-digest");keyid="{session.id}";alg="hmac-sha256"'
        ';nonce="1";tag="lightwork/1"'
    )
    base = (
        f'"@method": POST\n"@path": /v1/claim\n"@query": ?wait=20\n"content-digest": sha-256={body}\n'
        f'"@signature-params": {covered}'
    )
    to_server = hkdf(key, "lightwork/1 to server", transcript)
    signature = f"lw1={quoted(digest(to_server, base.encode()))}"
    assert request.headers == {
        "Content-Digest": f"sha-256={body}",
        "Signature-Input": f"lw1={covered}",
        "Signature": signature,
    }

    answer = opened.sign(request.headers, 200, b"{}")
    body = quoted(hashlib.sha256(b"{}").digest())
    covered = (
        f'("@status" "content-digest" "signature";req);keyid="{session.id}";alg="hmac-sha256"'
        ';tag="lightwork/1"'
    )
    base = (
        f'"@status": 200\n"content-digest": sha-256={body}\n"signature";req: {signature}\n'
        f'"@signature-params": {covered}'
    )
    to_client = hkdf(key, "lightwork/1 to client", transcript)
    assert answer["Signature"] == f"lw1={quoted(digest(to_client, base.encode()))}"
