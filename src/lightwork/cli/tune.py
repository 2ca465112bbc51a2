"""`lightwork tune`: threads or processes, how many, in which chunks: measured, then said."""

from pathlib import Path
from typing import Any

import click

from lightwork.terminal.options import duration, output_options


@click.command()
@click.argument("function", metavar="MODULE:FUNCTION")
@click.option("-i", "--input", "source", required=True, metavar="FILE",
              type=click.File("r", encoding="utf-8", errors="surrogateescape"),
              help="One argument a line: JSON where it parses, else text; - is standard input.")  # fmt: skip
@click.option("--args-json", is_flag=True, help="Each line is a JSON list of arguments.")
@click.option("--seconds", type=duration, default="20s", show_default=True, metavar="TIME",
              help="How long to measure, in all; a slow call may make it longer.")  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg",
              help="Draw the figures there, too.")  # fmt: skip
@output_options
def tune(*, seconds: float, plot: Path | None, **typed: Any) -> None:
    """Threads or processes, how many, in which chunks: measure a function and say.

    Runs FUNCTION with the lines of FILE inline, on threads and on processes with
    growing numbers of workers and chunk sizes; says what holds it back (the GIL,
    pickling, memory bandwidth, start-up, waiting), and the line of code to write.

    An async function is measured one call at a time, then on event loops that run a
    hundred at a time: one beside the threads, or one in each process.

    FUNCTION is called many times with the same arguments, in this process too: it must
    be harmless to repeat. What it prints is dropped.
    """
    # What would only fail after the measurement.
    if plot is not None and plot.suffix.lower() != ".svg":
        raise click.UsageError(f"the plot is drawn as SVG; expected --plot FILE.svg, seen: {plot}")
    if plot is not None and not plot.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {plot.absolute().parent} for the plot")
    if not 0 < seconds <= 86400:
        raise click.UsageError("--seconds must be more than 0 and at most a day")
    from lightwork.tune.run import conduct

    if status := conduct(seconds=seconds, plot=plot, **typed):
        raise click.exceptions.Exit(status)
