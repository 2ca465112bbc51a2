"""A queue by its ring: kills, interrupts, signals, forks, and what moves it to the broker."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightwork as lw
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.ring.layout import is_available
from sync.cut_off import CAN_CUT_OFF, is_cut_off
from sync.programs import Program, end_broker, in_fork, start_broker, wait_until_asleep_in
from sync.ring.clients import MAXSIZE, NAME
from waiting import wait_until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not is_available(), reason="queues have no rings here"),
]

KILLS = 12
PATIENCE = 60


@pytest.fixture
def program(program: Program) -> Program:
    program.do("import lightwork as lw, os")
    return program


def test_no_kill_loses_or_doubles_what_was_put(host: ArenaBroker, tmp_path: Path) -> None:
    queue: lw.Queue[str] = lw.Queue(MAXSIZE, name=NAME, where=host)
    chance = random.Random()
    running: list[tuple[str, subprocess.Popen[bytes]]] = []
    killed_getters = 0

    def start(verb: str) -> None:
        number = str(len([*tmp_path.glob(f"{verb}.*")]))
        (tmp_path / f"{verb}.{number}").touch()
        command = [sys.executable, "-m", "sync.ring.clients", verb, str(tmp_path), number]
        path = os.pathsep.join(sys.path)
        running.append((verb, subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})))

    try:
        for verb in ("put", "put", "get", "get"):
            start(verb)
        for _ in range(KILLS):
            before = _count(tmp_path)
            more = chance.randrange(300)
            wait_until(lambda n=before + more: _count(tmp_path) > n, "they go on", within=PATIENCE)  # type: ignore[misc]
            verb, victim = running.pop(chance.randrange(len(running)))
            victim.kill()
            victim.wait()
            killed_getters += verb == "get"
            start(verb)
        queue.shutdown()
        for _, one in running:
            assert one.wait(PATIENCE) == 0
    finally:
        for _, one in running:
            one.kill()
            one.wait()

    got = Counter(line for file in tmp_path.glob("get.*") for line in file.read_text().splitlines())
    got.update(queue)
    lost = [item for item in _put(tmp_path) if item not in got]
    assert max(got.values()) == 1
    # What a getter had just got as it was killed: at most three at once.
    assert len(lost) <= 3 * killed_getters


def _count(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("get.*"))


def _put(folder: Path) -> Iterator[str]:
    """Yield what was in when `put` returned."""
    for file in folder.glob("put.*"):
        items: list[str] = []
        for line in file.read_text().splitlines():
            if line == "in":
                yield from items
                items.clear()
            else:
                items.append(line)


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
@pytest.mark.parametrize("is_waited_for", [False, True])
def test_ctrl_c_as_an_item_comes_leaves_it_there(
    host: ArenaBroker, program: Program, is_waited_for: bool
) -> None:
    program.do("from sync.ring.test_ring_queue import get_and_be_cut_off_everywhere")

    count = program.do(f"get_and_be_cut_off_everywhere({is_waited_for})")

    assert isinstance(count, int), count
    assert count > 10


def get_and_be_cut_off_everywhere(is_waited_for: bool) -> int:
    """Return how many gets were cut off, each of which must have left the item there."""
    queue: lw.Queue[str] = lw.Queue()
    queue.qsize()
    opened = queue._way._opened  # type: ignore[attr-defined]
    ring = opened.ring
    looks = 0

    class Late:
        """A ring in which an item is found at the third look."""

        def __getattr__(self, name: str) -> object:
            return getattr(ring, name)

        def take(self, most: int) -> object:
            nonlocal looks
            looks += 1
            return ring.take(most) if looks > 2 else (0, [], (0, 0), (0, 0))

    if is_waited_for:
        opened.ring = Late()
    queue.put("item")
    for number in range(1, 10_000):
        looks = 0
        if not is_cut_off(queue.get, "/lightwork/sync/", number):
            assert queue.qsize() == 0
            return number - 1
        assert queue.qsize() == 1, f"lost after point {number}"
        assert queue._way._opened is opened, f"moved after point {number}"  # type: ignore[attr-defined]
    raise AssertionError("it has no end")


def test_a_signal_function_may_use_the_queue_in_the_middle_of_anything(
    host: ArenaBroker, program: Program
) -> None:
    program.do("q = lw.Queue(name='signalled')")
    program.do("got, left = [], [None] * 200")
    # One after the other, and so many: or a busy machine does nothing else.
    program.do("again = lambda: signal.setitimer(signal.ITIMER_REAL, 0.0005)")
    program.do("act = lambda *_: (q.put('s'), got.append(q.get()), left and (left.pop(), again()))")
    program.do("before = signal.signal(signal.SIGALRM, act)")
    program.do("before = again()")

    done = program.do("[(q.put(n), got.append(q.get()))[0] for n in range(3000)] and len(got)")
    program.do("before = signal.signal(signal.SIGALRM, signal.SIG_IGN)")

    assert isinstance(done, int), done
    assert done >= 3000
    counts = Counter(map(str, program.do("got + [q.get() for _ in range(q.qsize())]")))
    assert counts.pop("s") >= 1
    assert counts == Counter(map(str, range(3000)))


def test_who_waits_hears_of_the_brokers_end_and_others_when_there_is_another(
    host: ArenaBroker, program: Program, folder: Path
) -> None:
    queue: lw.Queue[str] = lw.Queue(name="lost", where=host)
    queue.put("a")
    program.do("q = lw.Queue(name='lost')")
    assert program.do("q.get()") == "a"
    program.begin("q.get()")
    wait_until_asleep_in(program, "epoll_wait")

    end_broker(folder)
    assert program.end()[0] == "LockLost"
    start_broker(folder)

    with pytest.raises(lw.LockLost):
        queue.put("b")
    queue.put("c")
    assert program.do("q.get()") == "c"


def test_what_a_getter_that_was_killed_would_have_got_wakes_another(
    host: ArenaBroker, program: Program
) -> None:
    queue: lw.Queue[str] = lw.Queue(name="sleepers", where=host)
    queue.qsize()
    program.do("q = lw.Queue(name='sleepers')")
    pid = os.fork()
    if not pid:
        queue.get()
        os._exit(1)
    wait_until(lambda: b"epoll_wait" in Path(f"/proc/{pid}/wchan").read_bytes(), "the child sleeps")
    program.begin("q.get()")
    wait_until_asleep_in(program, "epoll_wait")

    os.kill(pid, signal.SIGSTOP)
    queue.put("a")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert program.end() == "a"


def test_a_child_that_was_forked_uses_the_same_queue(host: ArenaBroker) -> None:
    queue: lw.Queue[str] = lw.Queue(where=host)
    queue.put_many(["a", "b"])

    assert in_fork(lambda: (queue.get(), queue.put_many("c"))) == "('a', 1)"

    assert queue.get_many(9) == ["b", "c"]


def test_lending_moves_a_queue_for_everybody(host: ArenaBroker, program: Program) -> None:
    queue: lw.Queue[int] = lw.Queue(name="moved", where=host)
    queue.put_many(range(5))
    program.do("q = lw.Queue(name='moved')")
    assert program.do("q.get_many(2)") == [0, 1]
    queue.task_done()

    lent = queue.get(ack=False)
    assert lent.value == 2
    assert program.do("(q.get(), q.unfinished_tasks, q.put(5))") == (3, 4, None)
    lent.nack()

    assert queue.get_many(9) == [2, 4, 5]


def test_who_sleeps_when_a_queue_moves_goes_on_there(host: ArenaBroker, program: Program) -> None:
    queue: lw.Queue[str] = lw.Queue(name="asleep", where=host)
    queue.qsize()
    program.do("q = lw.Queue(name='asleep')")
    program.begin("q.get()")
    wait_until_asleep_in(program, "epoll_wait")

    with pytest.raises(lw.LockLost):
        lw.Unacked(queue, 17, "never lent").ack()
    queue.put("a")

    assert program.end() == "a"


def test_memory_behind_the_head_is_given_back(host: ArenaBroker) -> None:
    queue: lw.Queue[bytes] = lw.Queue(where=host)
    for _ in range(40):
        queue.put(bytes(1 << 20))
        queue.get()

    map_of = Path("/proc/self/smaps").read_text().split("memfd:lightwork-ring")[1]
    used = next(line for line in map_of.splitlines() if line.startswith("Rss:"))
    assert int(used.split()[1]) < 8 << 10
