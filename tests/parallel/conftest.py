"""A folder with tasks, and the command line in it."""

from pathlib import Path

import pytest

from parallel.command_line import WORK, CommandLine


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    (tmp_path / "work.py").write_text(WORK)
    return CommandLine(tmp_path)
