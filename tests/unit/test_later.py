"""Later: what it accepts, how it travels, and what is no snooze."""

import pickle

import pytest

from lightwork.errors import UsageError
from lightwork.retry import Later, snooze_of


class Odd(Later):
    def __init__(self, text: str) -> None:
        super().__init__(1)
        self.args = (text,)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "5", None, True, 1e9])
def test_seconds_that_make_no_sense_are_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="Later expects seconds"):
        Later(seconds)


def test_it_pickles() -> None:
    back = pickle.loads(pickle.dumps(Later(2.5)))

    assert (type(back), back.seconds) == (Later, 2.5)


def test_the_seconds_are_those_that_were_given() -> None:
    assert (snooze_of(Later(3)), snooze_of(ValueError(3))) == (3.0, None)


def test_a_class_that_has_lost_its_seconds_is_an_error_like_others() -> None:
    assert snooze_of(Odd("soon")) is None
