"""A question that a Ctrl-C cuts off, at any point, takes back nothing that was asked before it."""

from itertools import count

import pytest

import lightwork as lw
from lightwork.sync.broker.shortcuts import ArenaBroker
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
