"""The runtime folder: this user's alone, or refused; and what a broker that was killed has left there."""

import os
import socket
import stat
from pathlib import Path

import pytest

from lightwork.errors import UsageError
from lightwork.sync.broker import sessions
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from lightwork.sync.runtime_folder import VARIABLE, open_runtime_folder, runtime_path
from sync.programs import broker_pid, end_broker, kill_and_wait, programs

LOCK = Place("lock", "balance", (False,))


def test_it_is_made_for_this_user_alone(host: ArenaBroker, folder: Path) -> None:
    host.ask(LOCK, "locked")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(not mode & 0o077 for name, mode in modes.items() if not name.endswith("socket"))


def test_where_it_is_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert runtime_path() == f"/tmp/lightwork-{os.geteuid()}"

    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert runtime_path() == "/run/user/7/lightwork"

    monkeypatch.setenv(VARIABLE, "/somewhere")
    assert runtime_path() == "/somewhere"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to("other")

    with pytest.raises(UsageError, match="Remove it"):
        open_runtime_folder(str(tmp_path / "run"))


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o750)

    with pytest.raises(UsageError, match="0750"):
        open_runtime_folder(str(tmp_path / "run"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.chown(tmp_path / "run", 1234, -1)

    with pytest.raises(UsageError, match="1234"):
        open_runtime_folder(str(tmp_path / "run"))


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(UsageError, match=r"Not a directory|File exists"):
        open_runtime_folder(str(tmp_path / "run"))


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_connection_of_another_user_is_closed(host: ArenaBroker, folder: Path) -> None:
    host.ask(LOCK, "locked")
    folder.chmod(0o755)
    for parent in folder.parents:
        if parent.owner() == "root" and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    (folder / "broker-1.socket").chmod(0o777)
    child = os.fork()
    if not child:
        os.setuid(1234)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(folder / "broker-1.socket"))
            stranger.settimeout(30)
            os._exit(0 if stranger.recv(1) == b"" else 1)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    folder.chmod(0o700)


@pytest.mark.process
def test_another_process_cannot_join_a_session(host: ArenaBroker) -> None:
    with programs(1) as (other,):
        session = host._current()
        session.name = other.do("host.session")

        with pytest.raises(EOFError):
            host._new_line(session)


@pytest.mark.process
def test_what_a_killed_broker_has_left_is_no_hindrance(host: ArenaBroker, folder: Path) -> None:
    host.ask(LOCK, "locked")
    host.close()
    kill_and_wait(broker_pid(folder))
    assert (folder / "broker-1.socket").exists()

    assert host.ask(LOCK, "acquire") == (1, False)


@pytest.mark.process
def test_a_folder_with_a_long_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 30) / "run"
    monkeypatch.setenv(VARIABLE, str(folder))

    with programs(1) as (program,):
        assert program.do("host.ask(machine('balance'), 'acquire')") == (1, False)
        end_broker(folder)


@pytest.mark.process
def test_without_handles_of_processes_a_session_ends_with_its_last_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "_SO_PEERPIDFD", 9999)
    monkeypatch.delattr(os, "pidfd_open")
    ours, theirs = socket.socketpair()

    with ours, theirs:
        assert sessions.handle_of(ours, os.getpid()) == -1
