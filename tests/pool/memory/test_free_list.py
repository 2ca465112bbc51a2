"""Free stretches of a memory: none is given twice, none is lost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lightwork.pool.memory.free_list import FreeList

PAGE = 4096
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 5 * PAGE)),
        st.tuples(st.just("give"), st.integers(0, 100)),
    ),
    max_size=80,
)


@given(STEPS)
def test_used_stretches_never_overlap(steps: list[tuple[str, int]]) -> None:
    holes, used = FreeList(), list[tuple[int, int]]()
    for step, number in steps:
        if step == "take":
            used.append((holes.take(number), number))
        elif used:
            holes.give(*used.pop(number % len(used)))

        ends = sorted((offset, offset + size) for offset, size in used)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
        assert holes.end >= max((end for _, end in ends), default=0)


@given(STEPS)
def test_when_all_is_given_back_nothing_is_used(steps: list[tuple[str, int]]) -> None:
    holes, used = FreeList(), list[tuple[int, int]]()
    for step, number in steps:
        if step == "take":
            used.append((holes.take(number), number))
        elif used:
            holes.give(*used.pop(number % len(used)))

    for stretch in used:
        holes.give(*stretch)

    assert holes.end == 0
    assert holes.take(1) == 0


def test_the_lowest_free_stretch_is_used_first() -> None:
    holes = FreeList()
    offsets = [holes.take(PAGE) for _ in range(4)]
    holes.give(offsets[2], PAGE)
    holes.give(offsets[1], PAGE)

    assert holes.take(PAGE) == offsets[1]


def test_neighbours_are_joined() -> None:
    holes = FreeList()
    first, second, _ = (holes.take(PAGE) for _ in range(3))
    holes.give(first, PAGE)
    holes.give(second, PAGE)

    assert holes.take(2 * PAGE) == first


def test_every_stretch_begins_with_a_page() -> None:
    holes = FreeList()

    assert [holes.take(size) % PAGE for size in (1, PAGE + 1, 70_000)] == [0, 0, 0]
