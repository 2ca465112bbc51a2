"""Which values each job gets: the combinations of GNU parallel's manual."""

import itertools
import os
from collections.abc import Iterator

import pytest

from lightwork.errors import UsageError
from lightwork.parallel.sources import (
    Source,
    check_sources,
    column_splitter,
    combine,
    count_jobs,
    file_sources,
    in_groups,
    split_blocks,
    split_command_line,
    split_items,
    split_records,
)

# Words of the command line, and the values of each job as "a1" for ("a", "1").
COMBINED = [
    ("::: a b c", "a b c"),
    ("::: a b ::: 1 2", "a1 a2 b1 b2"),
    ("::: a b ::: 1 2 ::: x y", "a1x a1y a2x a2y b1x b1y b2x b2y"),
    ("::: a b :::+ 1 2", "a1 b2"),
    ("::: a b c :::+ 1 2", "a1 b2"),
    ("::: a b :::+ 1 2 ::: x y", "a1x a1y b2x b2y"),
    ("::: x y ::: a b :::+ 1 2", "xa1 xb2 ya1 yb2"),
    ("::: a b :::+ 1 2 :::+ x y", "a1x b2y"),
    ("::: a b :::", ""),
    ("::: a b :::+", ""),
    (":::", ""),
]


def as_values(sources: list[Source]) -> list[tuple[bool, list[tuple[str, ...]]]]:
    return [(source.is_linked, [(word,) for word in source.words]) for source in sources]


@pytest.mark.parametrize(("words", "expected"), COMBINED)
def test_sources_are_combined(words: str, expected: str) -> None:
    _, sources = split_command_line(words.split())

    assert [*map("".join, combine(as_values(sources)))] == expected.split()


@pytest.mark.parametrize(("words", "expected"), COMBINED)
def test_jobs_of_words_are_counted_without_making_them(words: str, expected: str) -> None:
    _, sources = split_command_line(words.split())

    assert count_jobs(sources) == len(expected.split())


def test_jobs_of_files_are_not_counted() -> None:
    _, sources = split_command_line(["::::", "f", ":::", "a"])

    assert count_jobs(sources) == 0


def test_what_stands_before_the_first_source_is_left_to_others() -> None:
    own, sources = split_command_line(["-k", "echo", ":::", "-j", "::::+", "f", "g"])

    assert own == ["-k", "echo"]
    assert sources == [
        Source(is_files=False, is_linked=False, words=("-j",)),
        Source(is_files=True, is_linked=True, words=("f",)),
        Source(is_files=True, is_linked=True, words=("g",)),
    ]


@pytest.mark.parametrize("words", [[":::+", "a"], ["::::+", "f"], ["::::"], [":::", "a", "::::"]])
def test_sources_that_make_no_sense_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        check_sources(split_command_line(words)[1])


def test_each_file_is_a_source_of_its_own() -> None:
    _, sources = split_command_line(["::::", "f", "g"])

    assert sources == file_sources(["f", "g"])


@pytest.mark.parametrize(
    ("size", "groups"),
    [
        (1, [("a",), ("b",), ("c",)]),
        (2, [("a", "b"), ("c",)]),
        (5, [("a", "b", "c")]),
        (0, [(), (), ()]),
    ],
)
def test_values_are_grouped(size: int, groups: list[tuple[str, ...]]) -> None:
    assert list(in_groups(iter([("a",), ("b",), ("c",)]), size)) == groups


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("size", "blocks"),
    [
        (1, ["aa\n", "b\n", "\n", "cccc\n", "d"]),
        (5, ["aa\nb\n", "\n", "cccc\n", "d"]),
        (6, ["aa\nb\n\n", "cccc\n", "d"]),
        (100, ["aa\nb\n\ncccc\nd"]),
    ],
)
def test_a_stream_is_parted_into_blocks_of_whole_lines(
    cut: int, size: int, blocks: list[str]
) -> None:
    data = b"aa\nb\n\ncccc\nd"
    pieces = [data[start : start + cut] for start in range(0, len(data), cut)]

    assert [block.decode() for block in split_blocks(pieces, b"\n", size)] == blocks


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100])
def test_a_stream_is_parted_into_records_by_their_number(cut: int) -> None:
    data = b"a;;b;;;;c;;d"
    pieces = [data[start : start + cut] for start in range(0, len(data), cut)]

    assert list(split_records(pieces, b";;", 2)) == [b"a;;b;;", b";;c;;", b"d"]


def test_an_infinite_first_source_is_read_lazily() -> None:
    numbers = ((str(n),) for n in itertools.count())

    found = itertools.islice(combine([(False, numbers), (False, [("x",), ("y",)])]), 3)

    assert list(found) == [("0", "x"), ("0", "y"), ("1", "x")]


def test_an_infinite_source_with_a_linked_one_is_read_lazily() -> None:
    numbers = ((str(n),) for n in itertools.count())

    assert list(combine([(False, numbers), (True, [("x",)])])) == [("0", "x")]


@pytest.mark.parametrize(
    ("blocks", "items"),
    [
        ([], []),
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\nb"], ["a", "b"]),
        ([b"a\n\nb\n\n"], ["a", "", "b", ""]),
        ([b"a", b"b\nc", b"d", b"\n", b"e"], ["ab", "cd", "e"]),
        ([b"\xff x\r\n"], [os.fsdecode(b"\xff x\r")]),
    ],
)
def test_a_stream_is_parted_into_items(blocks: list[bytes], items: list[str]) -> None:
    assert list(split_items(blocks, b"\n")) == items


def test_line_ends_are_part_of_items_that_nul_ends() -> None:
    assert list(split_items([b"a\nb\0c"], b"\0")) == ["a\nb", "c"]


def test_an_item_is_there_before_the_next_block_is_read() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"first\nsec"
        raise AssertionError("read too far")

    assert next(split_items(blocks(), b"\n")) == "first"


def test_a_stream_without_an_end_of_line_is_refused_in_bounded_memory() -> None:
    with pytest.raises(UsageError, match="64 MiB"):
        list(split_items(itertools.repeat(b"x" * (8 << 20)), b"\n"))


@pytest.mark.parametrize(
    ("colsep", "text", "values"),
    [
        ("", "a, b", ("a, b",)),
        (",", "a, b ,c", ("a", "b", "c")),
        (r"\t", "a b\tc", ("a b", "c")),
        ("(,|;)", "a,b;c", ("a", "b", "c")),
        ("x*", "axb", ("a", "b")),
        (",", "", ("",)),
    ],
)
def test_columns_are_values(colsep: str, text: str, values: tuple[str, ...]) -> None:
    assert column_splitter(colsep)(text) == values


def test_a_separator_that_is_no_expression_is_refused() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        column_splitter("(")
