"""The base of a signature, against what RFC 5869, RFC 9421 and RFC 9530 have published."""

import base64
import hmac

import pytest

from lightwork.net.keys import base64url
from lightwork.net.keys.hkdf import hkdf
from lightwork.net.keys.signature_base import (
    byte_sequence,
    content_digest,
    signature_base,
    signature_params,
)

# RFC 9421, appendix B.1.5 and B.2.
SHARED_SECRET = base64.b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
SHA_512_OF_REQUEST = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
CREATED = 1618884473


def test_the_request_of_rfc_9421_b_2_5_gets_its_published_signature() -> None:
    names = ['"date"', '"@authority"', '"content-type"']
    values = ["Tue, 20 Apr 2021 02:07:55 GMT", "example.com", "application/json"]
    params = signature_params(names, {"created": CREATED, "keyid": "test-shared-secret"})

    base = signature_base(list(zip(names, values, strict=True)), params)

    assert base.decode() == (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n'
        '"@signature-params": ("date" "@authority" "content-type")'
        ';created=1618884473;keyid="test-shared-secret"'
    )
    signature = byte_sequence(hmac.digest(SHARED_SECRET, base, "sha256"))
    assert signature == ":pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"


def test_nothing_may_be_covered_as_in_rfc_9421_b_2_1() -> None:
    parameters: dict[str, str | int] = {
        "created": CREATED,
        "keyid": "test-key-rsa-pss",
        "nonce": "b3k2pp5k7z-50gnwp.yemd",
    }

    base = signature_base([], signature_params([], parameters))

    assert base.decode() == (
        '"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss"'
        ';nonce="b3k2pp5k7z-50gnwp.yemd"'
    )


def test_components_may_have_parameters_as_in_rfc_9421_b_2_2() -> None:
    names = ['"@authority"', '"content-digest"', '"@query-param";name="Pet"']
    values = ["example.com", SHA_512_OF_REQUEST, "dog"]
    parameters: dict[str, str | int] = {
        "created": CREATED,
        "keyid": "test-key-rsa-pss",
        "tag": "header-example",
    }

    base = signature_base(
        list(zip(names, values, strict=True)), signature_params(names, parameters)
    )

    assert base.decode() == (
        '"@authority": example.com\n'
        f'"content-digest": {SHA_512_OF_REQUEST}\n'
        '"@query-param";name="Pet": dog\n'
        '"@signature-params": ("@authority" "content-digest" "@query-param";name="Pet")'
        ';created=1618884473;keyid="test-key-rsa-pss";tag="header-example"'
    )


@pytest.mark.parametrize("value", ["two\nlines", "a\r", "nul\0", "\x7f", "caf\xe9"])
def test_a_value_that_could_begin_another_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        signature_base([('"@path"', value)], "()")


def test_a_component_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        signature_base([('"@path"', "/a"), ('"@path"', "/b")], "()")


def test_a_parameter_cannot_end_its_quotes() -> None:
    written = signature_params([], {"keyid": 'a"b\\c'})

    assert written == '();keyid="a\\"b\\\\c"'
    with pytest.raises(ValueError, match="printable"):
        signature_params([], {"keyid": "a\nb"})


def test_the_digest_of_a_body_is_that_of_rfc_9530() -> None:
    # Appendix A: the body ends with a line feed there.
    written = content_digest(b'{"hello": "world"}\n')

    assert written == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert content_digest(b'{"hello": "world"}') == (
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    )


# RFC 5869, appendix A.1 to A.3: secret, salt, info, key.
@pytest.mark.parametrize(
    ("secret", "salt", "info", "key"),
    [
        (
            b"\x0b" * 22,
            bytes(range(0x0D)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_keys_are_derived_as_in_rfc_5869(secret: bytes, salt: bytes, info: bytes, key: str) -> None:
    made = hkdf(secret, info, salt=salt, size=len(key) // 2)

    assert made.hex() == key


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff\xfe", bytes(range(256))])
def test_bytes_come_back_from_text(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "A+", "A/", "A A", "\xe9A", "AA\n", "\ud800"])
def test_bytes_have_one_spelling(text: str) -> None:
    # "AB" is one byte as well, with four bits that nobody reads.
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
