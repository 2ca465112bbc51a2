"""Marks: what they are moved over, and back to; in a time of the tests' own."""

from lightwork.store.operations.pace import Pace
from lightwork.store.postgresql.behind import gaps_of
from lightwork.store.postgresql.marks import LATE, SETTLED, Marks, Place


class Queue:
    """Marks of one queue, seen by looks that take no time."""

    def __init__(self, *, settled: int = 100) -> None:
        self.marks = Marks()
        self.marks.set_in_force(True)
        self.now = 1000.0
        self.given(settled)
        self.now += SETTLED
        self.given(settled)

    def given(self, number: int) -> None:
        self.marks.note_number(self.now, number)

    def look(self, *, seconds: float = 0.0, **first: tuple[int, int]) -> bool:
        """See these first jobs, by task; return whether that was a full look."""
        look = self.marks.begin("q", self.now)
        self.now += seconds
        self.marks.end(look, self.now, {task: Place(*place) for task, place in first.items()})
        return look.is_full

    def lane(self, task: str) -> list[tuple[int, int]]:
        return [(rank, seq) for rank, seq in self.marks.of_lane("q", task)]


def test_a_mark_stands_before_the_first_job_that_is_ready() -> None:
    queue = Queue()

    queue.look(a=(0, 40))

    assert queue.lane("a") == [(0, 39)]
    assert queue.lane("b") == []


def test_each_rank_has_its_mark_and_worse_ones_than_the_first_job_keep_theirs() -> None:
    queue = Queue()

    queue.look(a=(5, 10))
    queue.look(a=(0, 40))

    assert queue.lane("a") == [(0, 39), (5, 9)]

    queue.look(a=(5, 20))

    assert queue.lane("a") == [(0, 100), (5, 19)]


def test_no_mark_stands_behind_a_number_that_was_given_a_moment_ago() -> None:
    queue = Queue(settled=30)
    queue.look(a=(0, 10))
    queue.given(60)

    queue.look()

    assert queue.lane("a") == [(0, 30)]

    queue.now += SETTLED
    queue.given(90)
    queue.look(a=(0, 80))

    assert queue.lane("a") == [(0, 30)], (
        "60 was the last number only at the first of the two questions"
    )

    queue.now += SETTLED
    queue.given(120)
    queue.look(a=(0, 80))

    assert queue.lane("a") == [(0, 79)]


def test_without_a_number_that_is_settled_nothing_is_marked() -> None:
    marks = Marks()
    marks.set_in_force(True)
    marks.note_number(0.0, 50)

    marks.end(marks.begin("q", 0.1), 0.1, {"a": Place(0, 40)})

    assert marks.of_lane("q", "a") == []


def test_full_looks_take_a_twentieth_of_the_time() -> None:
    queue = Queue()

    assert queue.look(seconds=0.05, a=(0, 40))
    assert not queue.look(a=(0, 40))
    queue.now += 0.95
    assert not queue.look(a=(0, 40))
    queue.now += 0.05
    assert queue.look(a=(0, 40))


def test_a_full_look_moves_a_mark_back_to_what_came_in_before_it() -> None:
    queue = Queue()
    queue.look(seconds=0.05, a=(0, 40))

    queue.look(a=(0, 50))
    queue.now += 1.0
    queue.look(seconds=0.05, a=(0, 7))

    assert queue.lane("a") == [(0, 6)]


def test_marks_are_forgotten_when_vacuums_help_again() -> None:
    queue = Queue()
    queue.look(seconds=100.0, a=(0, 40))

    queue.marks.set_in_force(False)
    assert queue.lane("a") == []
    queue.look(a=(0, 40))
    assert queue.lane("a") == []

    queue.marks.set_in_force(True)
    assert queue.look(a=(0, 40))


def test_a_look_that_ends_after_marks_were_forgotten_leaves_none() -> None:
    queue = Queue()
    look = queue.marks.begin("q", queue.now)

    queue.marks.set_in_force(False)
    queue.marks.end(look, queue.now, {"a": Place(0, 40)})
    queue.marks.set_in_force(True)

    assert queue.lane("a") == []


def test_a_thousand_ranks_make_no_thousand_marks() -> None:
    queue = Queue()

    for rank in range(1000):
        queue.look(a=(rank, 1))

    assert len(queue.lane("a")) <= 100


def test_what_is_read_of_a_lane_lies_between_its_marks() -> None:
    (first, second, third) = gaps_of([Place(0, 39), Place(5, 9)])

    assert first[0] < -(2**31)
    assert first[1:] == (0, 0)
    assert second == (0, 39, 5)
    assert third[:2] == (5, 9)
    assert third[2] > 2**31


def test_what_goes_at_one_pace_shares_the_time() -> None:
    pace = Pace()

    pace.note("a", 0.0, 1.0)
    pace.note("b", 1.0, 2.0)

    assert not pace.is_due("a", 20.0)
    assert pace.is_due("a", 21.0)
    assert not pace.is_due("b", 41.0)
    assert pace.is_due("b", 42.0)
    assert pace.is_due("c", 3.0)


def test_what_was_held_up_once_rests_for_no_more_than_a_minute() -> None:
    pace = Pace()

    pace.note("a", 0.0, 12.0)

    assert not pace.is_due("a", 71.0)
    assert pace.is_due("a", 72.0)


def test_what_was_due_long_ago_takes_no_part_of_the_time() -> None:
    pace = Pace()
    pace.note("gone", 0.0, 1.0)

    pace.note("a", 100.0, 101.0)

    assert pace.is_due("a", 121.0)


def test_the_mark_of_what_is_scheduled_stands_before_the_next_that_is_due() -> None:
    marks = Queue().marks

    marks.end_due(marks.begin_due(0.0), 0.0, 50_000, -2000)
    assert marks.due_since == 48_000 - SETTLED * 1000

    marks.end_due(marks.begin_due(0.0), 0.0, 60_000, 10_000)
    assert marks.due_since == 60_000 - SETTLED * 1000, "another may be due in a moment"

    marks.end_due(marks.begin_due(0.0), 0.0, 70_000, None)
    assert marks.due_since == 70_000 - SETTLED * 1000


def test_what_is_scheduled_is_looked_at_from_the_beginning_at_a_pace() -> None:
    marks = Queue().marks
    marks.end_due(marks.begin_due(0.0), 1.0, 50_000, None)

    assert marks.begin_due(20.0).since == marks.due_since
    assert marks.begin_due(21.0).since == 0

    marks.set_in_force(False)
    assert marks.due_since == 0


def test_what_is_given_back_during_a_look_is_not_hidden_by_its_end() -> None:
    queue = Queue()
    queue.look(a=(0, 90))
    look = queue.marks.begin("q", queue.now, is_full=True)

    queue.marks.note_back("q", "a", Place(0, 5))
    queue.marks.end(look, queue.now, {"a": Place(0, 95)})

    assert queue.lane("a") == [(0, 4)]


def test_what_a_look_has_found_before_a_mark_counts_though_something_was_given_back() -> None:
    queue = Queue()
    queue.look(a=(0, 90))
    look = queue.marks.begin("q", queue.now, is_full=True)

    queue.marks.note_back("q", "b", Place(0, 5))
    queue.marks.end(look, queue.now, {"a": Place(0, 20)})

    assert queue.lane("a") == [(0, 19)]


def test_a_full_look_that_takes_long_is_made_by_others_unless_nobody_does() -> None:
    queue = Queue()
    queue.look(seconds=1.0, a=(0, 90))
    queue.now += 20

    assert not queue.look(a=(0, 90))
    assert queue.marks.long_due(queue.now) == ["q"]

    queue.now += LATE

    assert queue.look(a=(0, 90))
    assert queue.marks.long_due(queue.now) == []
