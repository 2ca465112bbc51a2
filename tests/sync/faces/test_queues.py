"""Queue, at every reach."""

import queue
import sys
import threading
from typing import Any

import pytest

import lightwork as lw
from sync.together import PATIENCE, beside, together


def test_items_come_out_as_they_went_in(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(where=where)

    for item in range(3):
        q.put(item)

    assert [q.get() for _ in range(3)] == [0, 1, 2]
    assert q.empty()


def test_many_go_in_one_message(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(where=where)

    assert q.put_many(range(5)) == 5

    assert q.get_many(3) == [0, 1, 2]
    assert q.get_many(9) == [3, 4]
    with pytest.raises(queue.Empty):
        q.get_many(1, block=False)
    with pytest.raises(ValueError, match="one or more"):
        q.get_many(0)


def test_what_is_got_is_a_copy(where: str) -> None:
    q: lw.Queue[list[int]] = lw.Queue(where=where)
    item = [1]
    q.put(item)

    item.append(2)

    assert q.get() == [1]


def test_what_cannot_travel_is_refused_where_it_is_put(where: str) -> None:
    q: lw.Queue[Any] = lw.Queue(where=where)

    with pytest.raises((TypeError, lw.PayloadError)):
        q.put(threading.Lock())

    assert q.empty()


def test_there_is_an_end_to_room(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(2, where=where)
    q.put_many([1, 2])

    assert q.full()
    with pytest.raises(queue.Full):
        q.put_nowait(3)
    with pytest.raises(queue.Full):
        q.put(3, timeout=0.01)
    q.get()
    q.put_nowait(3)
    assert q.get_many(9) == [2, 3]


def test_of_many_those_are_put_that_find_room(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(2, where=where)

    assert q.put_many(range(5), timeout=0.01) == 2
    assert q.get() == 0
    assert q.put_many([7, 8], block=False) == 1

    assert q.get_many(9) == [1, 7]


def test_who_waits_for_room_or_for_items_is_served(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(1, where=where)

    with beside(lambda: q.put_many(range(20))) as put:
        got = [q.get(timeout=PATIENCE) for _ in range(20)]
        assert put.result(PATIENCE) == 20

    assert got == list(range(20))


def test_none_is_lost_and_none_comes_twice(where: str) -> None:
    q: lw.Queue[tuple[int, int]] = lw.Queue(3, where=where)

    def put(number: int) -> None:
        for item in range(10):
            q.put((number, item))

    with beside(lambda: together(3, put)):
        got = together(3, lambda _: [q.get(timeout=PATIENCE) for _ in range(10)])

    everything = [item for part in got for item in part]
    assert sorted(everything) == [(number, item) for number in range(3) for item in range(10)]
    for part in got:
        for number in range(3):
            own = [item for whose, item in part if whose == number]
            assert own == sorted(own)


def test_what_is_not_acked_may_be_given_back(where: str) -> None:
    q: lw.Queue[str] = lw.Queue(where=where)
    q.put_many(["a", "b"])

    first = q.get(ack=False)
    first.nack()
    with pytest.raises(KeyError), q.get(ack=False):
        raise KeyError

    one, two = q.get_many(2, ack=False)
    assert (one.value, two.value) == ("a", "b")
    q.ack(one, two)
    assert q.unfinished_tasks == 0
    with pytest.raises(lw.LockLost, match="not this process's"):
        one.ack()


def test_an_item_is_acked_at_the_end_of_its_block(where: str) -> None:
    q: lw.Queue[str] = lw.Queue(where=where)
    q.put("a")

    with q.get(ack=False) as item:
        assert item == "a"
        assert q.unfinished_tasks == 1

    q.join(PATIENCE)


def test_a_join_waits_until_all_is_done(where: str) -> None:
    q: lw.JoinableQueue[int] = lw.JoinableQueue(where=where)
    q.put_many([1, 2])

    with pytest.raises(TimeoutError):
        q.join(0.01)
    with beside(q.join) as joined:
        for _ in range(2):
            q.get()
            q.task_done()
        joined.result(PATIENCE)

    with pytest.raises(ValueError, match="too many times"):
        q.task_done()


def test_a_queue_that_is_shut_down_is_read_to_its_end(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(where=where)
    q.put_many([1, 2, 3])

    q.shutdown()

    assert q.is_shutdown
    with pytest.raises(lw.ShutDown):
        q.put(4)
    assert list(q) == [1, 2, 3]
    with pytest.raises(lw.ShutDown):
        q.get()


def test_there_is_no_end_while_another_may_give_something_back(where: str) -> None:
    q: lw.Queue[str] = lw.Queue(where=where)
    q.put("a")

    def work(_: int) -> list[str]:
        done: list[str] = []
        while True:
            try:
                with q.get(ack=False) as item:
                    if item == "a" and not failed.is_set():
                        failed.set()
                        raise KeyError
                    done.append(item)
            except KeyError:
                continue
            except lw.ShutDown:
                return done

    failed = lw.Event(where=where)
    lent = q.get(ack=False)
    q.shutdown()
    with pytest.raises(queue.Empty):
        together(1, lambda _: q.get_nowait())
    with beside(lambda: together(2, work)) as working:
        lent.nack()
        assert sorted(working.result(PATIENCE)) == [[], ["a"]]


def test_who_waits_hears_of_the_end(where: str) -> None:
    empty: lw.Queue[int] = lw.Queue(where=where)
    full: lw.Queue[int] = lw.Queue(1, where=where)
    full.put(0)

    def wait_to_put() -> str:
        with pytest.raises(lw.ShutDown):
            full.put(1)
        return "told"

    with beside(lambda: list(empty)) as reading, beside(wait_to_put) as putting:
        empty.shutdown()
        full.shutdown()
        assert reading.result(PATIENCE) == []
        assert putting.result(PATIENCE) == "told"


def test_what_is_shut_down_at_once_is_empty_and_done(where: str) -> None:
    q: lw.Queue[int] = lw.Queue(where=where)
    q.put_many([1, 2])
    given = q.get(ack=False)

    q.shutdown(immediate=True)
    given.nack()

    q.join(PATIENCE)
    with pytest.raises(lw.ShutDown):
        q.get()


def test_the_end_is_the_standard_librarys_where_it_has_one() -> None:
    theirs = getattr(queue, "ShutDown", None)

    assert (theirs is None) == (sys.version_info < (3, 13))
    assert theirs is None or issubclass(lw.ShutDown, theirs)


def test_a_name_is_one_queue(where: str, name: str) -> None:
    one: lw.Queue[str] = lw.Queue(name=name, where=where)
    other: lw.Queue[str] = lw.Queue(name=name, where=where)

    one.put("a")

    assert other.get() == "a"


def test_time_outs_on_both_sides_lose_and_double_nothing(where: str) -> None:
    q: lw.Queue[tuple[int, int]] = lw.Queue(2, where=where)

    def put(number: int) -> int:
        count = 0
        for item in range(30):
            try:
                q.put((number, item), timeout=0.0002 * (item % 5))
            except queue.Full:
                continue
            count += 1
        return count

    def get(number: int) -> list[tuple[int, int]]:
        got: list[tuple[int, int]] = []
        while True:
            try:
                got += q.get_many(1 + number, timeout=0.0001 * number)
            except queue.Empty:
                continue
            except lw.ShutDown:
                return got

    with beside(lambda: together(2, get)) as getting:
        counts = together(3, put)
        q.shutdown()
        got = [item for part in getting.result(PATIENCE) for item in part]

    assert len(set(got)) == len(got) == sum(counts)
