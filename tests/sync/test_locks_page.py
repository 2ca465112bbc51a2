"""The programs of docs/locks.md print what stands behind their lines."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/locks.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.split()[-3])
def test_a_program_prints_what_it_says(program: str) -> None:
    expected = re.findall(r"print\(.*\)  # (.*)", program)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(expected) > 0
    for line, end in zip(printed, expected, strict=True):
        assert line.endswith(end.removeprefix("... "))


def test_the_page_has_programs() -> None:
    assert len(PROGRAMS) >= 3
