"""Which attempts lend their slots: those that wait, and those that ask where nothing else would ever end."""

from lightwork.pool.call.current import ASKS, BEGINS, GOES_ON
from lightwork.work.flight.waiting import ASKED_SECONDS, Waiting


def test_slot_is_lent_from_the_first_wait_of_an_attempt_to_the_end_of_its_last() -> None:
    waiting, lent = Waiting(), []

    for what in (BEGINS, BEGINS, GOES_ON, GOES_ON):
        waiting.note(7, what, 0)
        lent.append(waiting.lent(2, {7}, 0))

    assert lent == [1, 1, 1, 0]


def test_those_who_ask_lend_their_slots_only_when_they_have_all() -> None:
    waiting = Waiting()

    waiting.note(7, ASKS, 0)
    one_of_two = waiting.lent(2, {7, 8}, 0)
    waiting.note(8, ASKS, 0)

    assert (one_of_two, waiting.lent(2, {7, 8}, 0)) == (0, 2)


def test_who_has_not_asked_for_long_has_its_slot_again() -> None:
    waiting = Waiting()
    waiting.note(7, ASKS, 0)

    assert waiting.lent(1, {7}, ASKED_SECONDS) == 1
    assert waiting.lent(1, {7}, ASKED_SECONDS + 1) == 0


def test_thread_that_an_attempt_has_left_lends_nothing() -> None:
    waiting = Waiting()
    for what in (BEGINS, ASKS):
        waiting.note(7, what, 0)

    assert waiting.lent(1, set(), 0) == 0
    assert waiting.lent(1, {7}, 0) == 0
