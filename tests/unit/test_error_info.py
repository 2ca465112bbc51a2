"""Description: an error becomes text whatever its own code does."""

from typing import Any

import pytest

from lightwork.error_info import describe_error


class CardError(OSError):
    class FinalError(KeyError):
        pass


class MuteError(Exception):
    def __init__(self, problem: BaseException) -> None:
        super().__init__()
        self.problem = problem

    def __str__(self) -> str:
        raise self.problem

    __repr__ = __str__


class NumberError(Exception):
    def __str__(self) -> Any:
        return 17  # noqa: PLE0307 - the mistake that is tried here


class Fancy(str):
    __slots__ = ()


class DecoratedError(Exception):
    def __str__(self) -> str:
        return Fancy("fancy")


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_a_builtin_goes_by_its_bare_name() -> None:
    info, _ = describe_error(ValueError("x"))

    assert (info.type, info.text) == ("ValueError", "x")


def test_another_class_goes_by_module_and_qualified_name() -> None:
    info, _ = describe_error(CardError.FinalError("x"))

    assert info.type == f"{__name__}.CardError.FinalError"


def test_the_names_of_all_its_classes_go_along() -> None:
    _, names = describe_error(CardError("x"))

    assert names == (
        f"{__name__}.CardError",
        "builtins.OSError",
        "builtins.Exception",
        "builtins.BaseException",
    )


def test_the_traceback_shows_where_it_was_raised() -> None:
    info, _ = describe_error(raised(ValueError("x")))

    assert "in raised" in info.traceback
    assert info.traceback.endswith("ValueError: x\n")


def test_the_traceback_shows_the_cause() -> None:
    info, _ = describe_error(raised(ValueError("x"), raised(KeyError("the cause"))))

    assert "KeyError: 'the cause'" in info.traceback


def test_the_traceback_shows_what_was_being_handled() -> None:
    error = ValueError("x")
    error.__context__ = raised(KeyError("before"))

    info, _ = describe_error(error)

    assert "During handling of the above exception" in info.traceback


def test_the_traceback_shows_notes() -> None:
    error = ValueError("x")
    error.add_note("in row 5")

    info, _ = describe_error(error)

    assert "in row 5" in info.traceback


def test_the_traceback_shows_the_errors_of_a_group() -> None:
    info, _ = describe_error(ExceptionGroup("two", [KeyError("one"), TypeError("other")]))

    assert "KeyError: 'one'" in info.traceback
    assert "TypeError: other" in info.traceback


@pytest.mark.parametrize("problem", [ValueError(), SystemExit(), RecursionError()], ids=repr)
def test_an_error_whose_text_raises_is_still_described(problem: BaseException) -> None:
    info, _ = describe_error(raised(MuteError(problem)))

    assert info.type == f"{__name__}.MuteError"
    assert info.text == f"<its text cannot be shown: {type(problem).__name__}>"
    assert "in raised" in info.traceback


def test_an_error_whose_text_is_no_text_is_still_described() -> None:
    info, _ = describe_error(NumberError())

    assert "TypeError" in info.text


def test_the_text_is_plain_text_whatever_it_was() -> None:
    info, _ = describe_error(DecoratedError())

    assert type(info.text) is str


def test_what_a_database_cannot_store_is_shown_escaped() -> None:
    info, _ = describe_error(OSError("no \udcff\0 file"))

    assert info.text == "no \\udcff\\x00 file"


def test_a_very_long_chain_of_errors_is_described() -> None:
    error: BaseException = ValueError("first")
    for number in range(3000):
        later = ValueError(f"{number}")
        later.__cause__ = error
        error = later

    info, _ = describe_error(error)

    assert info.text == "2999"


def test_a_chain_that_ends_in_itself_is_described() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one

    info, _ = describe_error(one)

    assert "ValueError: other" in info.traceback
