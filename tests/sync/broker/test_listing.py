"""What a broker lists: what is held there, by whom, and who waits; nothing is started for it."""

import socket
from pathlib import Path

import pytest

from lightwork.errors import UsageError
from lightwork.sync.broker import listing
from lightwork.sync.broker.listing import Listed
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from sync.programs import Program, broker_pid, kill_and_wait
from waiting import wait_until

pytestmark = pytest.mark.process

LOCK = Place("lock", "balance", (False,))
RLOCK = Place("lock", "again", (True,))


def found(host: ArenaBroker, name: str) -> Listed:
    (one,) = [view for view in host.primitives() if view.name == name]
    return one


def test_nothing_is_started_to_list_nothing(folder: Path, host: ArenaBroker) -> None:
    assert host.primitives() == []
    assert not broker_pid(folder)
    assert not (folder / "arena-1").exists()


def test_a_lock_of_the_broker_tells_holder_token_and_who_waits(
    host: ArenaBroker, two: list[Program]
) -> None:
    one, other = two
    one.do("host.ask(machine('balance'), 'acquire')")
    other.begin("host.ask(machine('balance'), 'acquire')")
    wait_until(lambda: found(host, "balance").waiting == 1, "the other waits")

    view = found(host, "balance")

    (holder,) = view.holders
    assert (holder.host, holder.pid, holder.is_live) == (socket.gethostname(), one.pid, True)
    assert holder.session == one.do("host.session.hex()[:8]")
    assert (view.kind, view.token) == ("lock", 1)
    assert view.since is not None


def test_a_lock_of_the_arena_tells_its_holder_and_token(
    host: ArenaBroker, program: Program
) -> None:
    token, _ = program.do("lock('balance').acquire(None)")

    view = found(host, "balance")

    assert [(one.pid, one.is_live) for one in view.holders] == [(program.pid, True)]
    assert (view.kind, view.token) == ("lock", token)
    assert (view.waiting, view.since) == (None, None)


def test_a_free_lock_has_no_holder(host: ArenaBroker, program: Program) -> None:
    program.do("lock('balance').acquire(None)")
    program.do("lock('balance').release()")
    program.do("kept = lock('balance')")

    assert found(host, "balance").holders == ()


def test_a_lock_whose_holder_has_died_says_so(host: ArenaBroker, two: list[Program]) -> None:
    dying, living = two
    living.do("kept = lock('balance')")
    dying.do("lock('balance').acquire(None)")

    dying.kill()

    assert [(one.pid, one.is_live) for one in found(host, "balance").holders] == [
        (dying.pid, False)
    ]


def test_what_has_no_name_is_listed_too_and_values_without_what_is_in_them(
    host: ArenaBroker, program: Program
) -> None:
    program.do("kept = host.keep(Place('queue', 'unnamed', (0,)), is_named=False)")
    program.do("host.ask(Place('queue', 'unnamed', (0,)), 'put', ((b'item',),))")
    program.do("memory = value('v', b'secret')")

    views = [(view.kind, view.name, view.token) for view in host.primitives()]

    assert views == [("queue", "unnamed", 0), ("value", "v", 0)]


def test_more_than_a_page_comes_page_by_page(
    host: ArenaBroker, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = listing.ROWS * 2 + 1
    ask = "host.ask(Place('event', str(number) * 300, ()), 'set')"
    program.do(f"[{ask} for number in range({many})] and None")

    names = [view.name for view in host.primitives(limit=many + 1)]

    assert names == sorted(str(number) * 300 for number in range(many))
    assert len(host.primitives(limit=3)) == 3


def test_who_only_lists_is_no_session(host: ArenaBroker, program: Program, folder: Path) -> None:
    program.do("host.ask(machine('balance'), 'acquire')")

    host.primitives()

    assert host._session is None


def test_a_lock_of_the_broker_is_taken_from_another_process(
    host: ArenaBroker, program: Program
) -> None:
    program.do("host.ask(Place('lock', 'again', (True,)), 'acquire')")

    assert host.break_lock("again")
    assert not host.break_lock("again")
    assert host.ask(RLOCK, "acquire") == (2, True)


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_a_lock_of_the_arena_is_not_taken_from_another_process(
    host: ArenaBroker, program: Program, is_reentrant: bool
) -> None:
    program.do(f"lock('balance', {is_reentrant}).acquire(None)")

    with pytest.raises(UsageError, match=f"held by process {program.pid}"):
        host.break_lock("balance")

    program.do(f"lock('balance', {is_reentrant}).release()")
    assert not host.break_lock("balance")


def test_what_there_is_not_cannot_be_taken(host: ArenaBroker, program: Program) -> None:
    with pytest.raises(UsageError, match="no lock 'balance'"):
        host.break_lock("balance")


def test_a_broker_that_was_killed_lists_nothing(
    host: ArenaBroker, program: Program, folder: Path
) -> None:
    program.do("lock('balance').acquire(None)")
    kill_and_wait(broker_pid(folder))

    assert host.primitives() == []
