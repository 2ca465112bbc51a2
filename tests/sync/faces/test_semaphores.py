"""Semaphore and BoundedSemaphore, at every reach."""

import pytest

import lightwork as lw
from sync.together import PATIENCE, beside, together


def test_so_many_have_it_at_once_and_no_more(where: str) -> None:
    semaphore, inside = lw.Semaphore(2, where=where), lw.Value("i", where=where)
    seen: list[int] = []

    def enter(_: int) -> None:
        for _ in range(5):
            with semaphore:
                with inside.get_lock():
                    inside.value += 1
                    seen.append(inside.value)
                with inside.get_lock():
                    inside.value -= 1

    together(4, enter)

    assert max(seen) <= 2
    assert semaphore.get_value() == 2


def test_what_is_had_is_not_free(where: str) -> None:
    semaphore = lw.Semaphore(1, where=where)

    assert semaphore.acquire()
    assert not semaphore.acquire(blocking=False)
    assert not semaphore.acquire(timeout=0.01)
    semaphore.release()
    assert semaphore.acquire(timeout=PATIENCE)


def test_a_release_wakes_as_many_as_it_says(where: str) -> None:
    semaphore = lw.Semaphore(0, where=where)

    with beside(lambda: together(3, lambda _: semaphore.acquire())) as waiting:
        semaphore.release(3)
        assert waiting.result(PATIENCE) == [True] * 3

    assert semaphore.get_value() == 0


def test_an_unbounded_one_counts_up(where: str) -> None:
    semaphore = lw.Semaphore(0, where=where)

    semaphore.release(2)

    assert semaphore.get_value() == 2
    assert "value=2" in repr(semaphore)


def test_a_bounded_one_does_not(where: str) -> None:
    semaphore = lw.BoundedSemaphore(1, where=where)

    with pytest.raises(ValueError, match="released too many times"):
        semaphore.release()
    semaphore.acquire()
    semaphore.release()
    assert semaphore.get_value() == 1
    assert "value=1/1" in repr(semaphore)


def test_what_threading_refuses_is_refused(where: str) -> None:
    semaphore = lw.Semaphore(where=where)

    with pytest.raises(ValueError, match="must be >= 0"):
        lw.Semaphore(-1, where=where)
    with pytest.raises(ValueError, match="one or more"):
        semaphore.release(0)
    with pytest.raises(ValueError, match="can't specify timeout"):
        semaphore.acquire(blocking=False, timeout=1)
