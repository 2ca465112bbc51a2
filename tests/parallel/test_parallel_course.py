"""Who is shown next."""

from lightwork.parallel.job_loop import Ordering
from lightwork.parallel.jobs import End, MapJob, Output


def ended(seq: int) -> End:
    return End(
        job=MapJob(seq, ()),
        command="",
        status=0,
        started_at=0,
        seconds=0,
        stdout=Output(),
        stderr=Output(),
    )


def seqs(ends: list[End]) -> list[int]:
    return [end.job.seq for end in ends]


def test_ends_pass_as_they_come() -> None:
    ordering = Ordering(keeps=False)

    passed = [seqs(ordering.add(position, ended(position))) for position in (2, 0, 1)]

    assert passed == [[2], [0], [1]]


def test_in_order_an_end_waits_for_those_before_it() -> None:
    ordering = Ordering(keeps=True)

    passed = [seqs(ordering.add(position, ended(position))) for position in (2, 0, 1, 3)]

    assert passed == [[], [0], [1, 2], [3]]


def test_nobody_waits_for_a_job_without_an_end() -> None:
    ordering = Ordering(keeps=True)
    ordering.add(1, ended(1))

    assert seqs(ordering.add(0, None)) == [1]


def test_those_that_still_wait_pass_at_the_end() -> None:
    ordering = Ordering(keeps=True)
    for position in (3, 2):
        ordering.add(position, ended(position))

    assert seqs(ordering.rest()) == [2, 3]
