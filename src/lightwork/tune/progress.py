"""Progress: what is being measured, on standard error.

On a terminal it is one line that changes, else a line now and then.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.text import Text

from lightwork.clock import monotonic
from lightwork.terminal.output import note

_SECONDS_BETWEEN_LINES: Final = 5.0


@contextmanager
def progress(title: str, seconds: float, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield what is to be told each step of a measurement of so many seconds."""
    started, told_at = monotonic(), float("-inf")

    def say(step: str) -> str:
        return f"{title}: {step}, {monotonic() - started:.0f} of {seconds:.0f} s"

    def tell_now_and_then(step: str) -> None:
        nonlocal told_at
        if monotonic() - told_at >= _SECONDS_BETWEEN_LINES:
            told_at = monotonic()
            note(say(step))

    if quiet:
        yield lambda _step: None
    elif sys.stderr.isatty():
        # Two refreshes a second: more would be measured with the function.
        with Console(stderr=True).status(Text(title), refresh_per_second=2) as line:
            yield lambda step: line.update(Text(say(step)))
    else:
        yield tell_now_and_then
