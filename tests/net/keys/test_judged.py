"""http-message-signatures judges our signatures, and the RFC's keys our bases."""

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from http_message_signatures import (
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    algorithms,
)

from lightwork.net.keys.signature_base import signature_base, signature_params
from net.keys.pairs import Request, open_pair

# RFC 9421, appendix B.1.3 and B.1.4.
P256 = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
"""
ED25519 = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""
CREATED = 1618884473


def base_of(components: dict[str, str], key_id: str) -> bytes:
    params = signature_params(components, {"created": CREATED, "keyid": key_id})
    return signature_base(list(components.items()), params)


def test_our_base_of_rfc_9421_b_2_4_is_what_was_signed_there() -> None:
    base = base_of(
        {
            '"@status"': "200",
            '"content-type"': "application/json",
            '"content-digest"': "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69w"
            "WdXymyU0rjJuahq4l5aGgfLQ==:",
            '"content-length"': "23",
        },
        "test-key-ecc-p256",
    )
    signature = base64.b64decode(
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
    )

    judge = algorithms.ECDSA_P256_SHA256(public_key=P256)

    judge.verify(signature=signature, message=base)


def test_our_base_of_rfc_9421_b_2_6_is_what_was_signed_there() -> None:
    base = base_of(
        {
            '"date"': "Tue, 20 Apr 2021 02:07:55 GMT",
            '"@method"': "POST",
            '"@path"': "/foo",
            '"@authority"': "example.com",
            '"content-type"': "application/json",
            '"content-length"': "18",
        },
        "test-key-ed25519",
    )
    signature = base64.b64decode(
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )

    judge = algorithms.ED25519(public_key=ED25519)

    judge.verify(signature=signature, message=base)


def judge(secret: bytes, message: Any, body: bytes) -> Any:
    key_id = message.headers["Signature-Input"].partition('keyid="')[2].partition('"')[0]
    keys = MappingKeyResolver(public_keys={key_id: secret}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)
    # There are no clocks in it.
    verifier.require_created = False
    (found,) = verifier.verify(message, max_age=None, expect_tag="lightwork/1", body=body)
    return found


@pytest.mark.parametrize(
    ("path", "query"), [(b"/v1/claim", b"wait=20&queue=a%20b"), (b"/v1/jobs/%2e%2e/x", b"")]
)
def test_the_library_verifies_our_requests_and_answers(path: bytes, query: bytes) -> None:
    client, server = open_pair()
    request = Request(path=path, query=query).signed(client)
    request.come(server)
    answer = server.sign(request.headers, 409, b"no")
    url = f"http://example.com{path.decode()}" + (f"?{query.decode()}" if query else "")
    sent = SimpleNamespace(method="POST", url=url, headers=request.headers)
    came = SimpleNamespace(request=sent, status_code=409, headers=answer)

    seen = judge(client._keys.to_server, sent, request.body)
    answered = judge(client._keys.to_client, came, b"no")

    assert seen.nonce == "1"
    assert {*seen.covered_components} >= {'"@method"', '"@path"', '"@query"', '"content-digest"'}
    assert {*answered.covered_components} >= {'"@status"', '"content-digest"', '"signature";req'}
    came.status_code = 200
    with pytest.raises(InvalidSignature):
        judge(client._keys.to_client, came, b"no")
