"""A program whose terminal is closed ends with a status of its own."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, pty, sys
from lightwork.terminal.answers import forget_closed_terminal

ours, theirs = pty.openpty()
os.dup2(theirs, 1)
os.dup2(theirs, 2)
os.close(theirs)
os.close(ours)
sys.stdout.write("nobody reads this")
if {forgets}:
    forget_closed_terminal()
"""


@pytest.mark.parametrize(("forgets", "status"), [(True, 0), (False, 120)])
def test_what_nobody_can_read_any_more_does_not_change_the_status(
    forgets: bool, status: int
) -> None:
    words = [sys.executable, "-c", PROGRAM.format(forgets=forgets)]
    # Unbuffered, nothing is left to be said at the end.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        words, env=environment, stdout=subprocess.DEVNULL, timeout=60, check=False
    )

    assert done.returncode == status
