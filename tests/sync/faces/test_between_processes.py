"""Locks, queues and values that travel to other processes, and what is left when these are killed."""

import pickle
from collections.abc import Iterator

import pytest

import lightwork as lw
from sync.programs import Program, kill_and_wait, programs
from waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def program() -> Iterator[Program]:
    with programs(1) as (started,):
        started.do("import pickle, lightwork as lw")
        yield started


def send(program: Program, name: str, one: object) -> None:
    """Let the program have what is pickled here."""
    assert program.do(f"{name} = pickle.loads({pickle.dumps(one)!r})") is None


def test_a_lock_that_travelled_is_the_same_lock(program: Program) -> None:
    lock = lw.Lock()
    send(program, "lock", lock)
    with lock:
        assert program.do("lock.acquire(timeout=0.01)") is False
        assert "RuntimeError" in program.do("lock.release()")

    assert program.do("lock.acquire()") is True
    assert lock.locked()


def test_the_next_holder_is_told_that_the_last_one_was_killed(program: Program) -> None:
    lock = lw.Lock()
    send(program, "lock", lock)
    program.do("lock.acquire()")
    token = program.do("lock.token")

    program.kill()

    assert lock.acquire(timeout=30)
    assert lock.inherited
    assert lock.token > token
    lock.release()


def test_a_name_is_found_by_everybody(program: Program) -> None:
    mine = lw.Value("i", 7, name="found by name")

    assert program.do("lw.Value('i', 7, name='found by name').value") == 7
    program.do("lw.Value('i', 7, name='found by name').value = 8")
    assert mine.value == 8


def test_an_array_is_shared(program: Program) -> None:
    array = lw.Array("d", [0.5] * 1000)
    send(program, "array", array)

    program.do("array[1:3] = [1.5, 2.5]")

    assert array[:4] == [0.5, 1.5, 2.5, 0.5]


def test_a_queue_loses_nothing_with_those_who_are_killed(program: Program) -> None:
    queue: lw.Queue[int] = lw.Queue()
    send(program, "queue", queue)
    program.do("queue.put_many(range(10))")
    taken = program.do("[queue.get(ack=False).value for _ in range(3)]")

    program.kill()

    assert taken == [0, 1, 2]
    wait_until(lambda: queue.qsize() == 10, "what was not acked is back")
    assert queue.get_many(10) == [*range(10)]


def test_a_queue_outlives_whoever_made_it_while_it_is_on_its_way(program: Program) -> None:
    program.do("queue = lw.Queue(); queue.put('item')")
    dumped = program.do("pickle.dumps(queue)")
    program.kill()

    queue = pickle.loads(dumped)

    assert queue.get(timeout=30) == "item"


def test_a_semaphore_gets_back_what_a_killed_process_had(program: Program) -> None:
    semaphore = lw.Semaphore(2)
    send(program, "semaphore", semaphore)
    program.do("semaphore.acquire()")
    semaphore.acquire()

    program.kill()

    assert semaphore.acquire(timeout=30)


def test_a_condition_wakes_a_process(program: Program) -> None:
    condition = lw.Condition()
    send(program, "condition", condition)
    program.begin("condition.acquire() and (condition.wait(30), condition.release())[0]")

    def wake() -> bool:
        with condition:
            condition.notify_all()
        return program.has_answered()

    wait_until(wake, "it is woken")
    assert program.end() is True


def test_a_killed_party_breaks_the_barrier(program: Program) -> None:
    barrier = lw.Barrier(3)
    send(program, "barrier", barrier)
    program.begin("barrier.wait()")
    wait_until(lambda: barrier.n_waiting == 1, "it waits")

    program.kill()

    wait_until(lambda: barrier.broken, "it is broken")


def test_a_dict_is_shared(program: Program) -> None:
    shared: lw.Dict[str, int] = lw.Dict()
    send(program, "shared", shared)

    program.do("shared['a'] = 1")

    assert dict(shared) == {"a": 1}


def test_the_balance_is_zero_after_many_processes_and_kills() -> None:
    balance, lock, done = lw.Value("q", 0), lw.Lock(), lw.Value("q", 0)
    with programs(4) as started:
        for one in started:
            one.do("import pickle; from sync.faces.balance import change_many_times")
            send(one, "shared", (balance, lock, done))
            one.begin("change_many_times(*shared, 100_000_000)")
        for one in started[:3]:
            before = done.value
            wait_until(lambda before=before: done.value > before + 100, "all go on")  # type: ignore[misc]
            one.kill()
        before = done.value
        wait_until(lambda: done.value > before + 100, "the last goes on")
        kill_and_wait(started[3].pid)

    with lock:
        assert balance.value == 0 or lock.inherited
