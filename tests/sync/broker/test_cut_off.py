"""A question that a Ctrl-C cuts off, at any point, takes back nothing that was asked before it."""

import os
from contextlib import closing
from itertools import count

import pytest

import lightwork as lw
from lightwork.sync.broker.host import Broker
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.runtime_folder import runtime_path
from sync.cut_off import CAN_CUT_OFF, is_cut_off

pytestmark = pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")


def test_a_semaphore_that_was_acquired_stays_so(host: ArenaBroker) -> None:
    for number in count(1):
        semaphore = lw.Semaphore(1, where=host)
        assert semaphore.acquire()

        was_cut_off = is_cut_off(lambda: semaphore.acquire(False), "/lightwork/sync/", number)  # noqa: B023

        assert semaphore.get_value() == 0, number
        if not was_cut_off:
            break
    assert number > 10


def test_an_item_that_was_lent_stays_so(host: ArenaBroker) -> None:
    for number in count(1):
        queue: lw.Queue[str] = lw.Queue(where=host)
        queue.put_many("AB")
        lent = queue.get(ack=False)

        was_cut_off = is_cut_off(lambda: queue.get(ack=False), "/lightwork/sync/", number)  # noqa: B023

        assert lent.value == "A"
        if not was_cut_off:
            break
        assert queue.get_many(9) == ["B"], number
    assert number > 10


def test_what_a_process_with_one_line_has_stays_its_own(host: ArenaBroker) -> None:
    # Another process, as far as the broker is concerned: one that has asked one question after the other.
    for number in count(1):
        with closing(Broker(runtime_path())) as single:
            semaphore = lw.Semaphore(1, name=f"of point {number}", where=single)
            assert semaphore.acquire()

            was_cut_off = is_cut_off(semaphore.get_value, "/lightwork/sync/", number)

            seen = lw.Semaphore(1, name=f"of point {number}", where=host)
            assert seen.get_value() == 0, number
            assert semaphore.get_value() == 0, number
        os.close(single._folder)
        if not was_cut_off:
            break
    assert number > 10
