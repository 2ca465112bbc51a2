"""Run: one measurement from what was typed to its exit status.

0, measured; 130, interrupted, after what was measured until then was printed. Wrong
use and a function that raises on the input are errors, which end the command line.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from lightwork.pool.executor.cpus import usable_cpus
from lightwork.terminal.output import note, print_json
from lightwork.tune.advise import Advice, advise
from lightwork.tune.figures import Measurements
from lightwork.tune.measure import Measuring
from lightwork.tune.plot import draw
from lightwork.tune.progress import progress
from lightwork.tune.table import document, print_tables
from lightwork.tune.target import load_target
from lightwork.tune.trial import THREADS

_INTERRUPTED: Final = 130
_STDOUT: Final = 1


def conduct(
    *,
    function: str,
    source: Iterable[str],
    args_json: bool,
    seconds: float,
    plot: Path | None,
    json: bool,
    quiet: bool,
) -> int:
    """Measure, print what was found, and return the exit status.

    Args:
        function: `module:function`.
        source: Its input, one item a line.
        args_json: Each line is a JSON list of arguments.
        seconds: How long to measure.
        plot: Where the figures are drawn, too.
        json: Print one object.
        quiet: Print the line of code only.
    """
    with _prints_dropped(), progress(f"tune {function}", seconds, quiet=quiet or json) as tell:
        target = load_target(function, source, is_args=args_json)
        measuring = Measuring(target, seconds=seconds, cpus=usable_cpus(), tell=tell)
        # Ctrl-C ends it, and what is known by then is told.
        with contextlib.suppress(KeyboardInterrupt):
            measuring.run()
    found = measuring.found()
    advice = advise(found)
    drawn = _draw(found, advice, plot) if plot is not None and found.rows else ""
    if json:
        print_json(document(found, advice, drawn))
    elif quiet:
        click.echo(advice.code)
    else:
        print_tables(found, advice, drawn)
    return 0 if found.is_complete else _interrupted()


@contextlib.contextmanager
def _prints_dropped() -> Iterator[None]:
    """Send what the function prints nowhere, that of children too: our answer stays clean."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as void, contextlib.redirect_stdout(void):
            os.dup2(void.fileno(), _STDOUT)
            yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)


def _draw(found: Measurements, advice: Advice, path: Path) -> str:
    try:
        path.write_text(draw(found, advice), encoding="utf-8")
    except OSError as error:
        # The figures took their time: they are shown all the same.
        note(f"lightwork: the plot cannot be written: {error}")
        return ""
    return str(path)


def _interrupted() -> int:
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        # A thread cannot be ended: the interpreter would wait for the calls that were
        # interrupted, and whoever pressed Ctrl-C would have to press it again.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_INTERRUPTED)
    return _INTERRUPTED
