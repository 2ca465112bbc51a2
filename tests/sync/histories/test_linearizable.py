"""The checker refuses histories that are wrong, and takes those that are right."""

import math
from typing import Any

from sync.histories.linearizable import UNKNOWN, Operation, why_not
from sync.histories.many import taken_apart
from sync.histories.models import is_read, model_of
from sync.histories.queue_model import LOST, SHUT_DOWN


def is_right(key: str, *lines: tuple[Any, ...]) -> bool:
    """Whether a history is: (begin, end, verb, args, answer), each known by its place in the list, from "0" on."""
    operations = [
        Operation(
            f"{number}", key, verb, args, answer, begin, end or math.inf, is_read(verb, answer)
        )
        for number, (begin, end, verb, args, answer) in enumerate(lines)
    ]
    apart = [part for one in operations for part in taken_apart(one)]
    return not why_not(apart, *model_of(key))


def test_nothing_is_right() -> None:
    assert is_right("lock")
    assert is_right("lock", (1, None, "acquire", (), UNKNOWN))


def test_two_holders_of_a_lock_are_wrong() -> None:
    first = (1, 2, "acquire", (), (1, False))

    assert not is_right("lock", first, (3, 4, "acquire", (), (2, False)))
    assert not is_right("lock", first, (1, 4, "acquire", (), (2, False)))
    assert is_right(
        "lock", first, (3, 6, "acquire", (), (2, False)), (4, 5, "release", ("0",), True)
    )


def test_a_token_that_does_not_grow_is_wrong() -> None:
    held = (1, 2, "acquire", (), (5, False)), (3, 4, "release", ("0",), True)

    assert is_right("lock", *held, (5, 6, "acquire", (), (6, False)))
    assert not is_right("lock", *held, (5, 6, "acquire", (), (5, False)))


def test_a_free_lock_that_is_refused_is_wrong() -> None:
    assert not is_right("lock", (1, 2, "acquire", (), False))
    assert is_right("lock", (1, 2, "acquire", (), False), (1, None, "acquire", (), UNKNOWN))


def test_a_lock_of_a_killed_holder_is_the_next_ones_who_is_told() -> None:
    killed = (1, 2, "acquire", (), (1, False)), (5, None, "lost", ("0",), UNKNOWN)

    assert is_right("lock", *killed, (3, 6, "acquire", (), (2, True)))
    assert not is_right("lock", *killed, (3, 6, "acquire", (), (2, False)))
    assert not is_right("lock", *killed, (3, 4, "acquire", (), (2, True)))


def test_who_was_killed_while_it_waited_may_have_had_the_lock_or_not() -> None:
    killed = (1, None, "acquire", (), UNKNOWN), (2, None, "lost", ("0",), UNKNOWN)

    assert is_right("lock", *killed, (3, 4, "acquire", (), (1, False)))
    assert is_right("lock", *killed, (3, 4, "acquire", (), (2, True)))


def test_a_lock_that_was_lost_is_released_by_nobody() -> None:
    lost = (1, 2, "acquire", (), (1, False)), (1, None, "lost", ("0",), UNKNOWN)

    assert is_right(
        "lock", *lost, (3, 4, "acquire", (), (2, True)), (5, 6, "release", ("0",), LOST)
    )
    assert not is_right(
        "lock", *lost, (3, 4, "acquire", (), (2, True)), (5, 6, "release", ("0",), True)
    )


def test_a_lost_item_is_wrong() -> None:
    assert not is_right("queue", (1, 2, "put", ("a",), True), (3, 4, "get", (), None))
    assert is_right("queue", (1, 3, "put", ("a",), True), (2, 4, "get", (), None))


def test_an_item_whose_getter_was_killed_may_be_gone_or_there() -> None:
    killed = (1, 2, "put", ("a",), True), (3, None, "get", (), UNKNOWN)

    assert is_right("queue", *killed, (4, 5, "get", (), None))
    assert is_right("queue", *killed, (4, 5, "get", (), "a"))


def test_a_doubled_item_is_wrong() -> None:
    put = (1, 2, "put", ("a",), True)

    assert not is_right("queue", put, (3, 5, "get", (), "a"), (4, 6, "get", (), "a"))
    assert not is_right("queue", put, (3, 5, "get", (), "a"), (4, 6, "lend", (), "a"))


def test_an_item_that_nobody_put_is_wrong() -> None:
    assert not is_right("queue", (1, 2, "get", (), "a"))
    assert not is_right("queue", (1, 2, "get", (), "a"), (3, None, "put", ("a",), UNKNOWN))
    assert is_right("queue", (1, 4, "get", (), "a"), (3, None, "put", ("a",), UNKNOWN))


def test_another_order_than_that_of_the_puts_is_wrong() -> None:
    gets = (5, 6, "get", (), "b"), (7, 8, "get", (), "a")

    assert not is_right("queue", (1, 2, "put", ("a",), True), (3, 4, "put", ("b",), True), *gets)
    assert is_right("queue", (1, 4, "put", ("a",), True), (2, 3, "put", ("b",), True), *gets)


def test_what_was_lent_comes_back_first_and_what_was_acked_never() -> None:
    puts = (1, 2, "put", ("a",), True), (3, 4, "put", ("b",), True)
    lent = (*puts, (5, 6, "lend", (), "a"))

    assert is_right("queue", *lent, (7, 8, "nack", ("2",), True), (9, 10, "get", (), "a"))
    assert not is_right("queue", *lent, (7, 8, "nack", ("2",), True), (9, 10, "get", (), "b"))
    assert is_right("queue", *lent, (7, None, "lost", ("2",), UNKNOWN), (8, 9, "get", (), "a"))
    assert not is_right("queue", *lent, (7, 8, "ack", ("2",), True), (9, 10, "get", (), "a"))


def test_a_queue_holds_as_many_as_it_may() -> None:
    full = (1, 2, "put", ("a",), True), (3, 4, "put", ("b",), True)

    assert is_right("bounded", *full, (5, 6, "put", ("c",), False))
    assert not is_right("bounded", *full, (5, 6, "put", ("c",), True))
    assert not is_right("bounded", full[0], (5, 6, "put", ("c",), False))


def test_of_many_puts_each_is_in_and_in_their_order() -> None:
    puts = (1, 4, "put_many", (["a", "b"],), 2)

    assert is_right("queue", puts, (5, 6, "get_many", (3,), ("a", "b")))
    assert is_right("queue", puts, (5, 6, "get_many", (1,), ("a",)), (7, 8, "get", (), "b"))
    assert not is_right("queue", puts, (5, 6, "get_many", (3,), ("b", "a")))
    assert not is_right("queue", puts, (5, 6, "get", (), "a"), (7, 8, "get", (), None))
    # Others may put between them.
    assert is_right(
        "queue", puts, (2, 3, "put", ("c",), True), (5, 6, "get_many", (3,), ("a", "c", "b"))
    )


def test_of_many_puts_that_were_cut_off_the_first_may_be_in() -> None:
    cut = (1, None, "put_many", (["a", "b"],), UNKNOWN)

    assert is_right("queue", cut, (2, 3, "get_many", (3,), ("a",)))
    assert is_right("queue", cut, (2, 3, "get", (), None))
    assert not is_right("queue", cut, (2, 3, "get", (), "b"))


def test_many_puts_stop_where_it_is_full() -> None:
    part = (1, 2, "put_many", (["a", "b", "c"],), 2)

    assert is_right("bounded", part, (3, 4, "get_many", (3,), ("a", "b")))
    assert not is_right("bounded", (1, 2, "put_many", (["a", "b", "c"],), 1))
    assert not is_right("bounded", (1, 2, "put_many", (["a", "b", "c"],), 3))
    assert is_right("bounded", part, (3, 4, "put_many", (["d"],), False))


def test_many_are_got_at_once_or_maybe_in_part_if_nobody_was_told() -> None:
    puts = (1, 2, "put_many", (["a", "b", "c"],), 3)
    cut = (puts, (3, None, "get_many", (2,), UNKNOWN))

    assert not is_right("queue", puts, (3, 4, "get_many", (2,), ("a", "c")))
    assert is_right("queue", *cut, (4, 5, "get", (), "b"))
    assert is_right("queue", *cut, (4, 5, "get", (), "c"))
    assert not is_right("queue", *cut, (4, 5, "get", (), None))


def test_many_that_were_lent_come_back_in_their_order() -> None:
    lent = (
        (1, 2, "put_many", (["a", "b", "c"],), 3),
        (3, 4, "lend_many", (2,), ("a", "b")),
        (5, 6, "ack", ("1.1",), True),
        (7, 8, "nack", ("1.0",), True),
    )

    assert is_right("queue", *lent, (9, 10, "get_many", (3,), ("a", "c")))
    assert not is_right("queue", *lent, (9, 10, "get_many", (3,), ("a", "b", "c")))
    assert not is_right("queue", *lent, (9, 10, "get_many", (3,), ("c", "a")))


def test_a_join_ends_when_all_is_done_and_not_before() -> None:
    put, done = (1, 2, "put", ("a",), True), (3, 6, "done", (), True)

    assert not is_right("queue", put, (3, 4, "join", (), True))
    assert is_right("queue", put, done, (4, 5, "join", (), True))
    assert is_right("queue", put, done, (4, 5, "join", (), False))
    assert not is_right("queue", put, done, (7, 8, "join", (), False))
    assert not is_right("queue", put, done, (7, 8, "done", (), True))
    assert is_right("queue", put, done, (7, 8, "done", (), False))


def test_nothing_is_put_after_a_shutdown_and_all_is_got() -> None:
    shut = (1, 2, "put", ("a",), True), (3, 4, "shut", (False,), True)

    assert is_right("queue", *shut, (5, 6, "put", ("b",), SHUT_DOWN))
    assert not is_right("queue", *shut, (5, 6, "put", ("b",), True))
    assert not is_right("queue", *shut, (5, 6, "get", (), SHUT_DOWN))
    assert is_right("queue", *shut, (5, 6, "get", (), "a"), (7, 8, "get", (), SHUT_DOWN))
    assert not is_right("queue", *shut, (5, 6, "get", (), "a"), (7, 8, "get", (), None))


def test_a_queue_that_is_shut_down_is_not_over_while_another_has_something() -> None:
    lent = (1, 2, "put", ("a",), True), (3, 4, "lend", (), "a"), (5, 6, "shut", (False,), True)

    assert not is_right("queue", *lent, (7, 8, "get", (), SHUT_DOWN))
    assert is_right("queue", *lent, (7, 8, "get", (), None))
    assert is_right("queue", *lent, (7, 8, "nack", ("1",), True), (9, 10, "get", (), "a"))


def test_a_shutdown_at_once_empties_it_and_what_comes_back_is_dropped() -> None:
    emptied = (
        (1, 2, "put_many", (["a", "b"],), 2),
        (3, 4, "lend", (), "a"),
        (5, 6, "shut", (True,), True),
    )

    assert is_right("queue", *emptied, (7, 8, "get", (), SHUT_DOWN))
    assert not is_right("queue", *emptied, (7, 8, "get", (), "b"))
    assert not is_right("queue", *emptied, (7, 8, "join", (), True))
    nacked = (*emptied, (7, 8, "nack", ("1",), True))
    assert is_right("queue", *nacked, (9, 10, "join", (), True))
    assert not is_right("queue", *nacked, (9, 10, "get", (), "a"))


def test_a_stale_read_is_wrong() -> None:
    written = (1, 2, "set", (1,), True), (3, 4, "set", (2,), True)

    assert not is_right("dict a", *written, (5, 6, "get", (), 1))
    assert is_right("dict a", written[0], (3, 5, "set", (2,), True), (4, 6, "get", (), 1))


def test_a_read_that_goes_back_is_wrong() -> None:
    writes = (1, 2, "set", (1,), True), (3, 10, "set", (2,), True)

    assert is_right("dict a", *writes, (4, 5, "get", (), 1), (6, 7, "get", (), 2))
    assert not is_right("dict a", *writes, (4, 5, "get", (), 2), (6, 7, "get", (), 1))


def test_two_who_swap_the_same_value_are_wrong() -> None:
    written = (1, 2, "set", (1,), True)
    first = (3, 5, "swap", (1, 2), True)

    assert is_right("dict a", written, first, (4, 6, "swap", (1, 3), False))
    assert not is_right("dict a", written, first, (4, 6, "swap", (1, 3), True))


def test_two_who_add_or_take_the_same_key_are_wrong() -> None:
    added = (1, 3, "add", (1,), 1)

    assert is_right("dict a", added, (2, 4, "add", (2,), 1))
    assert not is_right("dict a", added, (2, 4, "add", (2,), 2))
    assert not is_right("dict a", added, (5, 7, "pop", (), 1), (6, 8, "pop", (), 1))
    assert not is_right("dict a", added, (5, 7, "pop", (), 1), (6, 8, "delete", (), True))


def test_what_lived_in_a_broker_is_gone_with_it() -> None:
    written = (1, 2, "set", (1,), True), (3, 6, "reset", (), True)

    assert is_right("dict a", *written, (7, 8, "get", (), None))
    assert not is_right("dict a", *written, (7, 8, "get", (), 1))


def test_what_changes_nothing_now_may_change_something_later() -> None:
    both = (1, 5, "clear", (), True), (2, 4, "set", (1,), True)

    assert is_right("dict a", *both, (6, 7, "get", (), None))
    assert is_right("dict a", *both, (6, 7, "get", (), 1))


def test_a_long_history_is_checked_soon() -> None:
    lines: list[tuple[Any, ...]] = []
    for number in range(500):
        # Four are put at any time; some puts have no end.
        begin, is_open = 10 * number, number % 100 == 7
        end = None if is_open else begin + 35
        lines.append((begin, end, "put", (f"{number}",), UNKNOWN if is_open else True))
        lines.append((begin + 60, begin + 95, "get", (), f"{number}"))

    assert is_right("queue", *lines)
