"""The checker refuses histories that are wrong, and takes those that are right."""

import math
from typing import Any

from sync.histories.linearizable import UNKNOWN, Operation, why_not
from sync.histories.models import LOST, MODELS, is_read


def is_right(key: str, *lines: tuple[Any, ...]) -> bool:
    """Whether a history is: (begin, end, verb, args, answer), each known by its place in the list, from "0" on."""
    step, state = MODELS[key]
    operations = [
        Operation(
            f"{number}", key, verb, args, answer, begin, end or math.inf, is_read(verb, answer)
        )
        for number, (begin, end, verb, args, answer) in enumerate(lines)
    ]
    return not why_not(operations, step, state)


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
