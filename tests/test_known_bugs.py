"""The table of known bugs names tests that exist, and leaves no number out."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (\d+) \| .*$", (ROOT / "docs/known-bugs.md").read_text(), re.MULTILINE)
LINES = re.findall(r"^\| \d+ \|.*$", (ROOT / "docs/known-bugs.md").read_text(), re.MULTILINE)
# Those of other engines have no numbers.
PAGES = ("docs/known-bugs.md", "docs/engines.md")
NAMED = sorted(
    {
        name
        for page in PAGES
        for name in re.findall(r"`(tests/[^`]+::\w+)`", (ROOT / page).read_text())
    }
)
COUNT = 81


@functools.cache
def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_number_is_left_out() -> None:
    numbers = [int(number) for number in dict.fromkeys(ROWS)]

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_row_has_a_test_or_a_reason() -> None:
    bare = [line for line in LINES if not re.search(r"::test_|cannot happen: |not tested: ", line)]

    assert bare == []


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")

    assert function in names_in(ROOT / path)
