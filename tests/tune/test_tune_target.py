"""The function is found, the lines become arguments, and what is wrong is said."""

import pytest
import tuned

from lightwork.errors import UsageError
from lightwork.tune.target import load_target


def by_line(lines: list[str], *, is_args: bool = False) -> list[object]:
    target = load_target("tuned:add_one", lines, is_args=is_args)
    return [item for _, item in sorted(zip(target.lines, target.items, strict=True))]


def test_a_line_is_json_where_it_parses_else_text() -> None:
    items = by_line(["1\n", "[2]\n", " a b\n", '"7"\n', "{broken\r\n"])

    assert items == [1, [2], " a b", "7", "{broken"]


def test_a_word_that_json_lacks_is_text_as_for_run_and_map() -> None:
    assert by_line(["NaN\n", "Infinity\n", "-Infinity\n"]) == ["NaN", "Infinity", "-Infinity"]


def test_empty_lines_are_skipped_and_counted() -> None:
    target = load_target("tuned:add_one", ["\n", "5\n", " \n", "6"], is_args=False)

    assert sorted(target.lines) == [2, 4]


def test_items_keep_their_lines_when_shuffled() -> None:
    target = load_target("tuned:add_one", [f"{n}\n" for n in range(1, 101)], is_args=False)

    assert list(target.items) == list(target.lines)
    assert list(target.items) != sorted(target.lines)


def test_taking_more_than_there_are_starts_again() -> None:
    target = load_target("tuned:add_one", ["1", "2", "3"], is_args=False)

    taken = target.take(7)

    assert taken == [*target.items, *target.items, target.items[0]]


def test_a_list_of_arguments_is_spread() -> None:
    target = load_target("tuned:add", ["[3, 4]"], is_args=True)

    assert target.fn(target.items[0]) == 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tuned", "a function is named MODULE:FUNCTION"),
        ("tuned:", "a function is named MODULE:FUNCTION"),
        ("no_such_module:f", "cannot be imported"),
        ("tuned.py:compute", "name its module: tuned"),
        ("tuned:comput", "did you mean tuned:compute?"),
        ("tuned:sys.path", "not a function"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_do(name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        load_target(name, ["1"], is_args=False)


def test_a_name_may_have_dots() -> None:
    assert load_target("tuned:Adder.add", ["1"], is_args=False).fn is tuned.Adder.add


@pytest.mark.parametrize("is_args", [False, True])
def test_an_async_function_is_called_to_its_end(is_args: bool) -> None:
    target = load_target("tuned:wait_async", ["[7]"], is_args=is_args)

    assert target.is_async
    assert target.call(target.items[0]) == (7 if is_args else [7])


@pytest.mark.parametrize(
    ("lines", "is_args", "expected"),
    [
        ([], False, "the input is empty"),
        (["\n", " \n"], False, "the input is empty"),
        (["[1]", "2"], True, "line 2 of the input is not a list"),
        (["[1]", "[2"], True, "line 2 of the input is not JSON"),
        (["[1]", "[NaN]"], True, "line 2 of the input is not JSON"),
        (["1", "[" * 100_000], False, "line 2 of the input: an argument is nested too deeply"),
        (["[1]", "[" * 100_000], True, "line 2 of the input: an argument is nested too deeply"),
    ],
)
def test_wrong_input_is_refused(lines: list[str], is_args: bool, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        load_target("tuned:add_one", lines, is_args=is_args)
