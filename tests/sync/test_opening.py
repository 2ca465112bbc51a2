"""From a word or a URL to the host of locks and queues, and to the key of what is kept there."""

from pathlib import Path

import pytest

import lightwork as lw
from lightwork.sync.host import Place
from lightwork.sync.local.host import host as local
from lightwork.sync.opening import authkey_of, open_host
from lightwork.sync.values import Signed, dump_key, load_key

QUEUE = Place("queue", "tasks", (0,))
KEY = b"sixteen bytes, or more"


def test_a_word_is_one_host() -> None:
    assert open_host("threads") is open_host("threads") is local
    assert open_host(local) is local


def test_no_place_is_said_so() -> None:
    with pytest.raises(lw.UsageError, match="expected 'threads', 'processes', the URL"):
        lw.Lock(where="everywhere")


@pytest.mark.parametrize("known", ["", "postgresql+psycopg://me:secret@elsewhere/jobs"])
def test_what_came_without_its_password_is_not_tried(
    known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWORK_URL", known)

    with pytest.raises(lw.UsageError, match="came without its password"):
        open_host("postgresql+psycopg://me:***@here/jobs")


def test_the_key_is_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY)
    file.chmod(0o600)
    monkeypatch.setenv("LIGHTWORK_AUTHKEY_FILE", str(file))

    assert authkey_of(local) == KEY


def test_what_is_plain_needs_no_key_in_a_store() -> None:
    values = Signed(QUEUE, b"")

    assert values.load(values.dump({"a": [1, None]})) == {"a": [1, None]}
    with pytest.raises(
        lw.PayloadError, match=r"queue 'tasks': set cannot be stored.*no authkey is set"
    ):
        values.dump({1, 2, print})


def test_what_is_not_plain_is_signed_for_its_queue_alone() -> None:
    data = Signed(QUEUE, KEY).dump(len)

    assert Signed(QUEUE, KEY).load(data) is len
    for other in (Signed(QUEUE, KEY[::-1]), Signed(Place("queue", "others", (0,)), KEY)):
        with pytest.raises(lw.PayloadError, match="is not signed for"):
            other.load(data)


def test_a_key_is_the_same_bytes_everywhere() -> None:
    text = "ab"
    other = str(text.encode(), "ascii")

    # A pickle of the first would say that both are one object.
    assert dump_key((text, text)) == dump_key((text, other))
    assert load_key(dump_key((text, (1, b"a", None)))) == (text, (1, b"a", None))
