"""Memory of the arena: what several processes see of it, and how long it lives."""

import os
import signal
from pathlib import Path

import pytest

from lightwork.errors import UsageError
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from sync.programs import Program, broker_pid, kill_and_wait
from waiting import wait_until

pytestmark = pytest.mark.process

EIGHT = Place("value", "n", (bytes(8),))


def test_it_begins_as_it_was_said_and_others_see_what_is_written(
    host: ArenaBroker, program: Program
) -> None:
    memory = host.open_memory(Place("value", "n", (b"begin",)))
    assert program.do("value('n', b'begin').read(0, 5)") == b"begin"

    memory.write(1, b"us")

    assert program.do("value('n', b'begin').read(0, 5)") == b"busin"


def test_a_swap_needs_what_is_expected(host: ArenaBroker) -> None:
    memory = host.open_memory(EIGHT)

    assert memory.swap(0, bytes(8), b"12345678")
    assert not memory.swap(0, bytes(8), b"abcdefgh")
    assert memory.read(0, 8) == b"12345678"


def test_swaps_of_many_processes_lose_nothing(host: ArenaBroker, two: list[Program]) -> None:
    memory = host.open_memory(EIGHT)
    for one in two:
        one.do("from sync.arena.counting import count_up")
        one.begin("count_up(value('n', bytes(8)), 1000)")
    for one in two:
        one.end()

    assert memory.read(0, 8) == (2000).to_bytes(8, "little")


def test_large_memory_is_there_and_is_used_again(host: ArenaBroker, folder: Path) -> None:
    for number in range(5):
        memory = host.open_memory(Place("value", f"large {number}", (bytes(3 << 20),)))
        memory.write((3 << 20) - 3, b"end")
        assert memory.read((3 << 20) - 4, 3 << 20) == b"\0end"
        del memory

    assert (folder / "arena-1").stat().st_size < 16 << 20


def test_it_lives_as_long_as_anybody_uses_it(host: ArenaBroker, two: list[Program]) -> None:
    first, second = two
    first.do("kept = value('n', bytes(8)); kept.write(0, b'12345678')")
    second.do("kept = value('n', bytes(8))")
    first.kill()
    assert second.do("kept.read(0, 8)") == b"12345678"
    assert host.open_memory(EIGHT).read(0, 8) == b"12345678"

    second.kill()

    wait_until(lambda: host.open_memory(EIGHT).read(0, 8) == bytes(8), "it is forgotten")


def test_it_lives_as_long_as_a_child_that_was_forked(host: ArenaBroker, program: Program) -> None:
    program.do("kept = value('n', bytes(8)); kept.write(0, b'12345678')")
    child = program.do("os.fork() or time.sleep(60)")
    program.kill()

    # Whoever asks meanwhile does not use it up.
    assert host.open_memory(EIGHT).read(0, 8) == b"12345678"
    assert host.open_memory(EIGHT).read(0, 8) == b"12345678"

    kill_and_wait(child)
    wait_until(lambda: host.open_memory(EIGHT).read(0, 8) == bytes(8), "it is forgotten")


def test_a_forked_child_writes_what_its_parent_reads(host: ArenaBroker) -> None:
    memory = host.open_memory(EIGHT)
    child = os.fork()
    if not child:
        try:
            memory.write(0, b"ofachild")
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert memory.read(0, 8) == b"ofachild"


def test_a_killed_broker_is_not_noticed(host: ArenaBroker, folder: Path, program: Program) -> None:
    memory = host.open_memory(EIGHT)
    memory.write(0, b"12345678")

    kill_and_wait(broker_pid(folder))

    assert program.do("value('n', bytes(8)).read(0, 8)") == b"12345678"
    program.do("value('other', bytes(8)).write(0, b'abcdefgh')")
    assert memory.read(0, 8) == b"12345678"


def test_what_killed_processes_have_left_is_swept(
    host: ArenaBroker, folder: Path, program: Program
) -> None:
    program.do("kept = value('n', bytes(8)); kept.write(0, b'12345678')")
    kill_and_wait(broker_pid(folder))
    program.signal(signal.SIGKILL)
    program.kill()

    assert host.open_memory(EIGHT).read(0, 8) == bytes(8)


def test_another_length_is_refused(host: ArenaBroker) -> None:
    kept = host.open_memory(EIGHT)

    with pytest.raises(UsageError, match="another way"):
        host.open_memory(Place("value", "n", (bytes(9),)))
    assert len(kept.read(0, 8)) == 8
