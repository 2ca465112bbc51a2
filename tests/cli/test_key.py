"""`lightwork key`: keys that nobody else can read, and weaker ones from them."""

import json
import os
import stat
from pathlib import Path

import pytest

from cli.conftest import Invoke
from lightwork.net.keys.finding import find_authkey
from lightwork.net.keys.keyring import Keyring, derive, parse


@pytest.fixture
def authkey(lightwork: Invoke) -> bytes:
    assert lightwork("key", "new", "key").exit_code == 0
    return find_authkey(file="key")


def derived(lightwork: Invoke, *words: str) -> str:
    done = lightwork("key", "derive", *words)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def test_a_new_key_is_its_owners_alone(lightwork: Invoke, folder: Path) -> None:
    # Whatever the umask says.
    before = os.umask(0)
    try:
        done = lightwork("key", "new", "key")
    finally:
        os.umask(before)

    assert done.exit_code == 0
    assert "--authkey-file key" in done.stdout
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    text = (folder / "key").read_text().strip()
    assert len(bytes.fromhex(text)) == 32
    assert text not in done.output


def test_two_new_keys_differ(lightwork: Invoke, authkey: bytes) -> None:
    assert json.loads(lightwork("key", "new", "other", "--json").stdout) == {"path": "other"}

    assert find_authkey(file="other") != authkey


def test_no_key_is_overwritten(lightwork: Invoke, authkey: bytes, folder: Path) -> None:
    # Nor is a link followed, to wherever somebody may have it lead.
    (folder / "link").symlink_to(folder / "elsewhere")

    for words in (
        ("new", "key"),
        ("new", "link"),
        ("derive", "--role", "view", "--name", "a", "--authkey-file", "key", "--output", "key"),
    ):
        done = lightwork("key", *words)
        assert done.exit_code == 2
        assert "is there already" in done.stderr

    assert find_authkey(file="key") == authkey
    assert not (folder / "elsewhere").exists()


def test_where_no_file_can_be_written_it_is_said(lightwork: Invoke) -> None:
    done = lightwork("key", "new", "no/such/folder/key")

    assert done.exit_code == 2
    assert "cannot be written: No such file" in done.stderr


def test_a_weaker_key_is_printed(lightwork: Invoke, authkey: bytes) -> None:
    words = ("--role", "submit", "--name", "web1", "--authkey-file", "key")

    text = derived(lightwork, *words)

    assert text.count("\n") == 1
    assert parse(text) == derive(authkey, "submit", "web1")
    document = json.loads(derived(lightwork, *words, "--json"))
    assert document == {
        "key": text.strip(),
        "role": "submit",
        "name": "web1",
        "key_id": parse(text).key_id,
    }


def test_a_weaker_key_is_written_where_only_its_owner_reads(
    lightwork: Invoke, authkey: bytes
) -> None:
    words = ("--role", "work", "--name", "gpu-7", "--authkey-file", "key", "--output", "gpu.key")

    answer = derived(lightwork, *words)

    # It is read as authkeys are, which refuses a mode that is too wide.
    assert parse(find_authkey(file="gpu.key").decode()) == derive(authkey, "work", "gpu-7")
    assert "lwk1" not in answer


def test_the_key_comes_from_the_environment(
    lightwork: Invoke, authkey: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWORK_AUTHKEY_FILE", "key")
    by_file = derived(lightwork, "--role", "view", "--name", "a")
    monkeypatch.delenv("LIGHTWORK_AUTHKEY_FILE")
    monkeypatch.setenv("LIGHTWORK_AUTHKEY", authkey.decode())

    assert derived(lightwork, "--role", "view", "--name", "a") == by_file


def test_a_server_gets_a_key_that_knows_all_others(lightwork: Invoke, authkey: bytes) -> None:
    text = derived(lightwork, "--role", "server", "--authkey-file", "key")

    key = derive(authkey, "submit", "web1")
    assert Keyring([text.encode()]).find(key.key_id) == key


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--role", "view", "--name", "a"], "lightwork key new FILE"),
        (["--role", "view", "--authkey-file", "key"], "--name NAME"),
        (["--role", "server", "--name", "a", "--authkey-file", "key"], "has none"),
        (["--role", "root", "--name", "a", "--authkey-file", "key"], "'root' is not one of"),
        (["--role", "view", "--name", "a.b", "--authkey-file", "key"], "1 to 64 letters"),
        (["--role", "view", "--name", "authkey", "--authkey-file", "key"], "another name"),
        (["--role", "view", "--name", "a", "--authkey-file", "wide"], "mode 0640"),
        (["--role", "view", "--name", "a", "--authkey-file", "wide"], "chmod 600 wide"),
        (["--role", "view", "--name", "a", "--authkey-file", "weak"], "at least 16"),
        (["--role", "view", "--name", "a", "--authkey-file", "web1"], "no other can be derived"),
    ],
)
def test_what_cannot_be_derived_is_said(
    lightwork: Invoke, authkey: bytes, folder: Path, words: list[str], said: str
) -> None:
    (folder / "wide").write_bytes(authkey)
    (folder / "wide").chmod(0o640)
    (folder / "weak").write_text("fifteen bytes..")
    (folder / "weak").chmod(0o600)
    derived(
        lightwork, *["--role", "view", "--name", "w", "--authkey-file", "key", "--output", "web1"]
    )

    done = lightwork("key", "derive", *words)

    assert done.exit_code == 2
    assert said in done.stderr
    assert authkey.decode() not in done.output
