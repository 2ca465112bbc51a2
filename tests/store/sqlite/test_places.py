"""Places and URLs at which no SQLite file can be, or must not be."""

import os
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from lightwork.errors import SchemaMismatch, StoreError, UsageError
from lightwork.model import State, WorkerInfo
from lightwork.store.sqlite import engine
from lightwork.store.sqlite.engine import network_type
from lightwork.store.sqlstore import SqlStore, open_store
from store.steps import submitted

# Places and URLs that are refused.


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:memory?mode=memory&uri=true",
        "sqlite:///work.db?timeout=3",
        "sqlite+aiosqlite:///work.db",
        "oracle://host/work",
        "no url at all",
        "",
    ],
)
def test_url_of_no_file_is_wrong_use(url: str) -> None:
    with pytest.raises(UsageError):
        open_store(url)


def test_a_library_without_json_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TABLE_FUNCTION", "left_out")

    with pytest.raises(StoreError, match=r"without JSON .*left_out.* from 3.38 on"):
        open_store(f"sqlite:///{tmp_path}/work.db")

    assert list(tmp_path.iterdir()) == []


def test_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(UsageError) as refusal:
        open_store("oracle://me:secret@host/work")

    assert "secret" not in str(refusal.value)


def test_refusal_does_not_repeat_what_stands_behind_the_question_mark() -> None:
    with pytest.raises(UsageError, match=r"work\.db\?password=\*\*\*: options") as refusal:
        open_store("sqlite:///work.db?password=hunter2")

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("name", ["work.db", "folder/work.db"])
def test_url_that_lacks_a_slash_is_told_with_three(name: str) -> None:
    with pytest.raises(UsageError, match=f"a slash is missing.* sqlite:///{name}, "):
        open_store(f"sqlite://{name}")


def make_nothing(path: Path) -> None:
    path.parent.rmdir()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("Dear diary, this is no database at all.")


def make_ruin(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_nothing, make_folder, make_text, make_ruin, make_pipe])
def test_place_that_cannot_hold_a_store_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "folder" / "work.db"
    path.parent.mkdir()
    make(path)

    with pytest.raises(StoreError) as refusal:
        open_store(f"sqlite:///{path}")

    assert "folder" in str(refusal.value)


def make_link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def make_pipe_at(path: Path, _target: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_link, make_pipe_at])
def test_lock_file_that_is_no_file_of_its_own_is_refused(
    path: Path, url: str, make: Callable[[Path, Path], None]
) -> None:
    victim = path.with_name("victim")
    victim.write_text("something that is dear to somebody else")
    make(path.with_name(path.name + "-lock"), victim)

    with pytest.raises(StoreError, match=r"lock file .* is (a symbolic link|no regular file)"):
        open_store(url)

    assert victim.read_text() == "something that is dear to somebody else"


def make_file(path: Path) -> None:
    path.touch()


def make_loose_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("make", [make_file, make_loose_link])
def test_workers_folder_that_is_no_folder_is_told_as_such(
    path: Path, url: str, make: Callable[[Path], None]
) -> None:
    make(path.with_name(path.name + "-workers"))

    worker = WorkerInfo(id=uuid.uuid4(), name="worker", host="host", pid=1, slots=4)

    with SqlStore(url) as store, pytest.raises(StoreError, match="-workers is no folder"):
        store.register(worker, lease=60, is_here=True)


def test_file_that_is_no_database_is_left_as_it_was(path: Path) -> None:
    make_text(path)
    before = path.read_bytes()

    with pytest.raises(StoreError):
        open_store(f"sqlite:///{path}")

    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_read_only_place_is_refused(url: str, path: Path, read_only: str) -> None:
    open_store(url).close()
    target = path if read_only == "file" else path.parent
    target.chmod(target.stat().st_mode & ~0o222)
    if os.access(target, os.W_OK):
        pytest.skip("this user (root?) may write everything")

    try:
        with pytest.raises(StoreError, match=r"read-only|read and write"):
            open_store(url)
    finally:
        target.chmod(target.stat().st_mode | 0o700)


def test_missing_store_is_not_made_unasked(url: str, path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_store(url, create=False)

    assert not path.exists()


def test_empty_file_becomes_a_store(url: str, path: Path) -> None:
    path.touch()

    with SqlStore(url) as store:
        assert store.check() == []


def test_foreign_tables_of_our_names_are_refused(url: str, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE job (title TEXT)")
    connection.close()

    with pytest.raises(SchemaMismatch, match="job"):
        open_store(url)


def test_store_lives_beside_foreign_tables(url: str, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customer (name TEXT)")
    connection.close()

    with SqlStore(url) as store:
        submitted(store)

        assert store.summary().states[State.READY] == 1


MOUNTS = """\
/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local\\040disk xfs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/work.db", "nfs4"),
        ("/homestead/work.db", ""),
        ("/home/local disk/work.db", ""),
        ("/mnt/ssh/work.db", "fuse.sshfs"),
        ("/var/work.db", ""),
    ],
)
def test_network_file_system_is_recognised(place: str, kind: str) -> None:
    assert network_type(Path(place), MOUNTS) == kind


def test_url_is_good_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with SqlStore("sqlite:///work.db") as store:
        assert (store.url, store.safe_url) == (url, url)
