"""Command: `lightwork tune`: its options, what goes where, and its exit status.

Exit status: 0, measured; 1, the function raised on the input; 2, wrong use; 130,
interrupted, after what was measured until then was printed.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

import click

from lightwork.cli.options import duration, output_options

if TYPE_CHECKING:
    from lightwork.cli.tune.advise import Advice
    from lightwork.cli.tune.figures import Measurements

_INTERRUPTED: Final = 130
_STDOUT: Final = 1


@click.command()
@click.argument("function", metavar="MODULE:FUNCTION")
@click.option("-i", "--input", "source", required=True, metavar="FILE",
              type=click.File("r", encoding="utf-8", errors="surrogateescape"),
              help="One argument a line: JSON where it parses, else text; - is standard input.")  # fmt: skip
@click.option("--args-json", is_flag=True, help="Each line is a JSON list of arguments.")
@click.option("--seconds", type=duration, default="20s", show_default=True, metavar="TIME",
              help="How long to measure, in all; a slow call may make it longer.")  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg",
              help="Draw the figures there.  [default: tune-FUNCTION.svg in this folder]")  # fmt: skip
@click.option("--no-plot", is_flag=True, help="Draw nothing.")
@output_options
@click.pass_context
def tune(
    context: click.Context,
    *,
    function: str,
    source: TextIO,
    args_json: bool,
    seconds: float,
    plot: Path | None,
    no_plot: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Threads or processes, how many, in which chunks: measure a function and say.

    Runs FUNCTION with the lines of FILE inline, on threads and on processes with
    growing numbers of workers and chunk sizes; says what holds it back (the GIL,
    pickling, memory bandwidth, start-up, waiting), and the line of code to write.

    An async function is measured one call at a time, then on event loops that run a
    hundred at a time: one beside the threads, or one in each process.

    FUNCTION is called many times with the same arguments, in this process too: it must
    be harmless to repeat. What it prints is dropped.
    """
    path = _plot_path(function, plot, no_plot=no_plot)
    if not 0 < seconds <= 86400:
        raise click.UsageError("--seconds must be more than 0 and at most a day")
    from lightwork.cli.tune.advise import advise

    found = _measure(function, source, seconds, args_json=args_json, quiet=quiet or json)
    advice = advise(found)
    drawn = _draw(found, advice, path) if path is not None and found.rows else ""
    _print(found, advice, drawn, json=json, quiet=quiet)
    if not found.is_complete:
        _leave(context)


def _plot_path(function: str, plot: Path | None, *, no_plot: bool) -> Path | None:
    """Return where to draw; refuse what would only fail after the measurement."""
    if no_plot:
        if plot is not None:
            raise click.UsageError("--plot and --no-plot: say one of them")
        return None
    path = plot or Path(f"tune-{function.rpartition(':')[2]}.svg")
    if path.suffix.lower() != ".svg":
        raise click.UsageError(f"the plot is drawn as SVG; expected --plot FILE.svg, seen: {path}")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {path.absolute().parent} for the plot")
    return path


def _measure(
    function: str,
    source: TextIO,
    seconds: float,
    *,
    args_json: bool,
    quiet: bool,
) -> "Measurements":
    from lightwork.cli.tune.measure import Measuring
    from lightwork.cli.tune.progress import progress
    from lightwork.cli.tune.target import load_target
    from lightwork.pool.cpus import usable_cpus

    with _prints_dropped(), progress(f"tune {function}", seconds, quiet=quiet) as tell:
        target = load_target(function, source, is_args=args_json)
        measuring = Measuring(target, seconds=seconds, cpus=usable_cpus(), tell=tell)
        # Ctrl-C ends it, and what is known by then is told.
        with contextlib.suppress(KeyboardInterrupt):
            measuring.run()
    return measuring.found()


@contextlib.contextmanager
def _prints_dropped() -> Iterator[None]:
    """Send what the function prints nowhere, that of children too: our answer stays clean."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDOUT)
        with open(os.devnull, "w", encoding="utf-8") as void, contextlib.redirect_stdout(void):  # noqa: PTH123 - not a path of ours
            yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)
        os.close(nowhere)


def _draw(found: "Measurements", advice: "Advice", path: Path) -> str:
    from lightwork.cli.tune.plot import draw

    try:
        path.write_text(draw(found, advice), encoding="utf-8")
    except OSError as error:
        # The figures took their time: they are shown all the same.
        click.echo(f"lightwork: the plot cannot be written: {error}", file=sys.stderr)
        return ""
    return str(path)


def _print(found: "Measurements", advice: "Advice", plot: str, *, json: bool, quiet: bool) -> None:
    from lightwork.cli.tune.table import print_document, print_tables

    if json:
        print_document(found, advice, plot)
    elif quiet:
        click.echo(advice.code)
    else:
        print_tables(found, advice, plot)


def _leave(context: click.Context) -> NoReturn:
    from lightwork.cli.tune.trial import THREADS

    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        # A thread cannot be ended: the interpreter would wait for the calls that were
        # interrupted, and whoever pressed Ctrl-C would have to press it again.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_INTERRUPTED)
    context.exit(_INTERRUPTED)
