"""Command: `lightwork demo`: its options, what goes where, and its exit status.

Exit status: 0, every file has exactly one recorded outcome (files that cannot be
parsed are failed jobs, not a failed demo); 1, that is not so; 130, interrupted.
With --json standard output carries the document alone, everything else goes to
standard error.
"""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lightwork.terminal.options import output_options
from lightwork.terminal.output import print_json
from lightwork.terminal.program import program_words

if TYPE_CHECKING:
    from rich.console import Console

    from lightwork.demo.figures import Figures

_INTERRUPTED: Final = 128 + signal.SIGINT
_PIPE_WIDTH: Final = 500


@click.command()
@click.option("--url", default="", help="Keep the jobs there.  [default: ./lightwork-demo.db]")
@click.option("-j", "--jobs", type=click.IntRange(1, 1024), default=None,
              help="Processes that run jobs.  [default: one for each usable CPU]")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start anew, even if outcomes are there already.")
@click.option("--no-kill", is_flag=True, help="Kill nobody.")
@output_options
@click.option(
    "--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), hidden=True
)
@click.option("--limit", type=click.IntRange(0), default=0, hidden=True)
@click.pass_context
def demo(
    context: click.Context,
    *,
    url: str,
    jobs: int | None,
    fresh: bool,
    no_kill: bool,
    json: bool,
    quiet: bool,
    folder: Path | None,
    limit: int,
) -> None:
    """Show what lightwork is for: real work, killed in the middle, nothing lost.

    Makes one durable job of each Python file of this interpreter's standard library:
    parse it, count its lines, functions, classes and branches. Half-way one child and
    one whole worker are killed with SIGKILL. In the end every file has exactly one
    recorded outcome. Interrupt it however you like: started again, it goes on.
    """
    from lightwork.demo.files import standard_library
    from lightwork.demo.fresh import DEFAULT_URL
    from lightwork.demo.run import conduct
    from lightwork.pool.executor.cpus import usable_cpus

    console = _open_console(stderr=json, quiet=quiet)
    try:
        figures = conduct(
            console,
            url or DEFAULT_URL,
            (folder or standard_library()).absolute(),
            jobs=jobs or usable_cpus(),
            limit=limit,
            is_fresh=fresh,
            kills=not no_kill,
        )
    except KeyboardInterrupt as stop:
        click.echo(f"interrupted: {stop}to go on: {program_words()} demo", err=True)
        context.exit(_INTERRUPTED)
    _print(figures, console, as_json=json, quiet=quiet)
    context.exit(0 if figures.proof.holds else 1)


def _open_console(*, stderr: bool, quiet: bool) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, quiet=quiet, highlight=False)
    if not console.is_terminal:
        # A pipe has no edge: nothing is to be shortened.
        console.width = _PIPE_WIDTH
    return console


def _print(figures: "Figures", console: "Console", *, as_json: bool, quiet: bool) -> None:
    from lightwork.demo.figures import print_figures, print_proof

    if as_json:
        print_json(figures)
    elif quiet:
        print_proof(_open_console(stderr=False, quiet=False), figures.proof)
    else:
        print_figures(console, figures)
