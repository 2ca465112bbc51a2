"""The window beside a set that remembers everything."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.net.keys.replay_window import WINDOW, ReplayWindow

numbers = st.one_of(
    st.integers(1, 40), st.integers(1000, 1060), st.integers(2020, 2080), st.just(10**18 - 1)
)


@given(st.lists(numbers, max_size=80))
def test_a_number_is_taken_once_and_only_within_the_window(coming: list[int]) -> None:
    window, seen = ReplayWindow(), set[int]()

    for number in coming:
        expected = number not in seen and number > max(seen, default=0) - WINDOW
        assert window.take(number) == expected
        if expected:
            seen.add(number)


def test_the_window_ends_where_it_says() -> None:
    window = ReplayWindow()
    window.take(WINDOW + 1)

    assert not window.take(1)
    assert window.take(2)


def test_a_number_far_ahead_costs_no_memory() -> None:
    window = ReplayWindow()
    window.take(10**18 - 1)

    assert window._seen.bit_length() <= WINDOW
    assert not window.take(1)
