"""Keys: each is for one role and one name, and none tells another."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.codec import Codec, Subject
from lightwork.codec.signing import _payload_key
from lightwork.errors import PayloadError, UsageError
from lightwork.net.keys.hkdf import hkdf
from lightwork.net.keys.keyring import (
    MAX_KEY_ID,
    Keyring,
    TransportKey,
    derive,
    from_authkey,
    is_derived,
    parse,
)
from lightwork.net.keys.roles import ROLES
from lightwork.net.keys.root import root_of
from net.keys.pairs import AUTHKEY, OTHER, WEB1

SUBJECT = Subject(UUID(int=1), "tasks:f")


def test_every_role_and_name_has_a_key_of_its_own() -> None:
    keys = [derive(AUTHKEY, role, name) for role in ROLES for name in ("web1", "web2")]
    keys += [from_authkey(AUTHKEY), derive(OTHER, "submit", "web1")]

    assert len({key.secret for key in keys}) == len({key.key_id for key in keys}) == len(keys)
    assert {len(key.secret) for key in keys} == {32}


def test_who_has_the_authkey_may_do_everything() -> None:
    key = from_authkey(AUTHKEY)

    assert (key.role, key.name) == ("admin", "authkey")


def test_a_derived_key_comes_back_from_its_text() -> None:
    text = WEB1.text()

    assert text.startswith("lwk1.submit.web1.")
    assert parse(f"{text}\n") == WEB1
    # So that it can be given wherever an authkey can.
    assert from_authkey(text.encode()) == WEB1
    assert (is_derived(text.encode()), is_derived(AUTHKEY)) == (True, False)


def test_no_secret_is_shown() -> None:
    key, root = WEB1, root_of(AUTHKEY)

    for shown in (repr(key), str(key), repr(root), repr([key])):
        assert "secret" not in shown
        assert repr(key.secret) not in shown


def test_from_a_derived_key_nothing_is_derived() -> None:
    with pytest.raises(UsageError, match="no other can be derived"):
        derive(WEB1.text().encode(), "admin", "me")
    with pytest.raises(UsageError, match="no other can be derived"):
        Keyring([WEB1.text().encode()])


def test_a_derived_key_signs_no_pickle() -> None:
    admin = from_authkey(AUTHKEY)
    root = root_of(AUTHKEY)
    materials = [admin.secret, WEB1.secret, WEB1.text().encode(), root.secret, root.text().encode()]
    trusting = Codec(authkey=AUTHKEY)
    assert trusting.decode_result(SUBJECT, signed(AUTHKEY)) is not None

    for material in materials:
        with pytest.raises(PayloadError, match=r"derived|another key"):
            trusting.decode_result(SUBJECT, signed(material))


def signed(authkey: bytes) -> bytes:
    return Codec(authkey=authkey).encode_result(SUBJECT, UnpicklableAsPlain())


class UnpicklableAsPlain:
    """No plain data, so it travels as a pickle."""


def test_payload_key_and_transport_root_are_two_children_of_the_authkey() -> None:
    payload, root = _payload_key(AUTHKEY), root_of(AUTHKEY)

    assert payload == hkdf(AUTHKEY, b"lightwork payload 1")
    assert root.secret == hkdf(AUTHKEY, b"lightwork transport 1")
    assert payload != root.secret


@pytest.mark.parametrize(
    "name",
    ["", ".", "a.b", "a/b", "a b", "-a", "_a", "\xe9", "a\n", "x" * 65, "authkey", "*", "\0"],
)
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        derive(AUTHKEY, "view", name)


def test_a_role_is_one_of_four() -> None:
    with pytest.raises(UsageError, match="submit, work, view, admin"):
        derive(AUTHKEY, "root", "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("authkey", [b"", b"fifteen bytes.."])
def test_a_key_that_can_be_guessed_is_refused(authkey: bytes) -> None:
    for act in (
        from_authkey,
        root_of,
        lambda key: derive(key, "view", "a"),
        lambda key: Keyring([key]),
    ):
        with pytest.raises(UsageError, match=f"{len(authkey)} bytes"):
            act(authkey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lwk1.",
        "lwk1.submit.web1.AAAAAAAA",
        "lwk2.submit.web1.AAAAAAAA." + "A" * 43,
        "lwk1.root.web1.AAAAAAAA." + "A" * 43,
        "lwk1.submit.web1.AAAAAAA." + "A" * 43,
        "lwk1.submit.web1.AAAAAAAA." + "A" * 42,
        "lwk1.submit.web1.AAAAAAAA." + "A" * 42 + "B",
        "lwk1.submit.web1.AAAAAAAA." + "A" * 43 + ".x",
        "lwk1.admin.authkey.AAAAAAAA." + "A" * 43,
        "lwk1.server.AAAAAAAA." + "A" * 43,
    ],
)
def test_a_damaged_text_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert "A" * 10 not in str(caught.value)


@given(
    st.text() | st.text(alphabet="lwk1.submitwebAserver-_=\n ", max_size=90).map("lwk1.".__add__)
)
def test_any_text_is_a_key_or_a_usage_error(text: str) -> None:
    for read in (parse, lambda text: from_authkey(text.encode("utf-8", "replace") + b" " * 16)):
        try:
            key = read(text)
        except UsageError:
            continue
        assert key.role in ROLES


@given(st.binary(max_size=90).map(b"lwk1.server.".__add__) | st.binary())
def test_any_bytes_are_a_root_or_a_usage_error(material: bytes) -> None:
    try:
        root = root_of(material)
    except UsageError:
        return
    assert len(root.secret) == 32


def test_a_keyring_knows_every_key_of_its_authkeys_and_no_other() -> None:
    # Two while clients change from one to the other.
    keyring = Keyring([AUTHKEY, OTHER])

    for authkey in (AUTHKEY, OTHER):
        for key in (from_authkey(authkey), derive(authkey, "work", "gpu-7")):
            assert keyring.find(key.key_id) == key
    assert Keyring([OTHER]).find(WEB1.key_id) is None


def test_a_revoked_name_is_refused_in_every_role() -> None:
    keyring = Keyring([AUTHKEY, OTHER], revoked=["web1"])

    found = [
        keyring.find(derive(key, role, "web1").key_id) for key in (AUTHKEY, OTHER) for role in ROLES
    ]

    assert found == [None] * 8
    assert keyring.find(derive(AUTHKEY, "submit", "web2").key_id)
    with pytest.raises(UsageError, match="authkey"):
        Keyring([AUTHKEY], revoked=["authkey"])


def test_a_server_needs_a_key() -> None:
    with pytest.raises(UsageError, match="lightwork key new"):
        Keyring([])


def test_a_server_can_do_with_less_than_the_authkey() -> None:
    text = root_of(AUTHKEY).text()

    keyring = Keyring([text.encode() + b"\n"])

    assert keyring.find(WEB1.key_id) == WEB1
    assert keyring.find(from_authkey(AUTHKEY).key_id) == from_authkey(AUTHKEY)
    for read in (parse, lambda text: from_authkey(text.encode())):
        with pytest.raises(UsageError, match="lightwork serve"):
            read(text)


def test_an_unknown_id_has_a_key_that_nobody_has_and_that_stays() -> None:
    keyring = Keyring([AUTHKEY], revoked=["web1"])

    keys = [
        keyring.look_up(key_id) for key_id in (WEB1.key_id, WEB1.key_id, "view.a.AAAAAAAA", "?")
    ]

    assert not any(is_known for _, is_known in keys)
    assert keys[0] == keys[1]
    assert all(one != other for (one, _), (other, _) in pairwise(keys[1:]))
    assert keys[0][0].secret != WEB1.secret


def test_the_longest_id_is_as_long_as_is_said() -> None:
    key = derive(AUTHKEY, "submit", "x" * 64)

    assert len(key.key_id) <= MAX_KEY_ID
    assert isinstance(key, TransportKey)
