"""`lightwork map`: a command or function for each line of input, in the manner of GNU parallel.

What differs from GNU parallel, and why, stands in parallel/__init__.py and, for
people, in docs/parallel.md.
"""

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.terminal.options import duration, output_options, url_option
from lightwork.terminal.output import note

if TYPE_CHECKING:
    from lightwork.parallel.sources import Source

_SOURCES: Final = "lightwork.map.sources"


class _MapCommand(click.Command):
    """Parts the sources from the options: what follows ::: is never an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the sources aside and parse the rest."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # Half a command line, to be completed.
        from lightwork.parallel.sources import split_command_line

        own, ctx.meta[_SOURCES] = split_command_line(args)
        return super().parse_args(ctx, own)


@click.command(
    cls=_MapCommand,
    name="map",
    options_metavar="[OPTIONS]",
    epilog="Exit status, as in GNU parallel: 0 all succeeded, 1 to 100 so many failed, 101 more "
    "than 100 did, 255 other errors (wrong use, the store is out of reach); with --halt "
    "now,fail=1 that of the failed job; 130 Ctrl-C. docs/parallel.md compares the two.",
)
@click.argument("words", nargs=-1, metavar="'COMMAND {}' [::: VALUE... | :::: FILE...]")
@click.option("-j", "--jobs", default="", metavar="N",
              help="Run N at a time, or 50% of the CPUs, or +1 or -1 beside them; default: one a "
              "CPU. With --url, 0 leaves them to workers.")  # fmt: skip
@click.option("-k", "--keep-order", is_flag=True, help="Show outputs in the order of the inputs.")
@click.option("--lb", "--line-buffer", "line_buffer", is_flag=True,
              help="Show lines as they come, not each job's outputs at its end.")  # fmt: skip
@click.option("-a", "--arg-file", multiple=True, metavar="FILE",
              help="Inputs are the lines of FILE; - is standard input. The same as :::: FILE.")  # fmt: skip
@click.option("-0", "--null", is_flag=True, help="NUL ends an input, not a line end.")
@click.option("--colsep", default="", metavar="REGEX", help="Part each input into {1}, {2} ...")
@click.option("-N", "--max-replace-args", "group", type=click.IntRange(0, 10**6), metavar="N",
              help="Give each job N inputs, {1} to {N}; with --pipe N records; 0: none.")  # fmt: skip
@click.option("--shuf", is_flag=True, help="Run the jobs in random order; reads all inputs first.")
@click.option("--pipe", is_flag=True,
              help="Part standard input into blocks of whole lines, one for each job's own.")  # fmt: skip
@click.option("--block", default="1M", show_default=True, metavar="SIZE",
              help="With --pipe: about so much a block.")  # fmt: skip
@click.option("--recend", default="\\n", show_default=True, metavar="TEXT",
              help="With --pipe: what ends a record, which is never parted.")  # fmt: skip
@click.option("--joblog", default="", metavar="FILE", help="A line for each job that ended.")
@click.option("--results", default="", metavar="DIR",
              help="Keep the outputs of jobs in files below DIR; they are not shown.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Skip the jobs that are in the joblog.")
@click.option("--resume-failed", is_flag=True, help="Skip those that succeeded only.")
@click.option("--halt", default="never", show_default=True, metavar="RULE",
              help="Stop early: now,fail=1 (kills) or soon,fail=20% (starts no more).")  # fmt: skip
@click.option("--timeout", type=duration, default="0s", metavar="TIME",
              help="Kill a job that runs longer: 30s, 10m; 0s: no limit.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0, 10**6), metavar="N",
              help="Try a job that fails N times in all; 0: until it succeeds.")  # fmt: skip
@click.option("--delay", type=duration, default="0s", metavar="TIME",
              help="Wait so long between the starts of two jobs.")  # fmt: skip
@click.option("--load", default="", metavar="N",
              help="Start no job while N processes run on this machine, or 100% of the CPUs.")  # fmt: skip
@click.option("--memfree", default="", metavar="SIZE",
              help="Start no job while less memory is free; below half, the youngest goes back.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be run.")
@click.option("--tag", is_flag=True, help="Begin each line of output with the job's values.")
@click.option("--bar", "--progress", is_flag=True, help="Show on stderr how far it is.")
@click.option("--eta", is_flag=True,
              help="Show it with the time that is left; reads all inputs first.")  # fmt: skip
@click.option("--shell/--no-shell", default=True, show_default=True,
              help="Whether COMMAND is read by /bin/sh; values are quoted for it.")  # fmt: skip
@click.option("--func", is_flag=True, help="COMMAND is MODULE:FUNCTION, called with each input.")
@click.option("--where", type=click.Choice(["processes", "threads"]), default="processes",
              show_default=True, help="What runs a function.")  # fmt: skip
@url_option("Keep functions' jobs in this store.")
@click.option("--key", default="map", show_default=True, metavar="NAME",
              help="With --url: names the map; the same name and input are the same jobs.")  # fmt: skip
@output_options
@click.pass_context
def map_(
    ctx: click.Context, /, *, words: tuple[str, ...], arg_file: tuple[str, ...], **typed: Any
) -> None:
    """Run COMMAND once for each input, several at a time.

    Inputs are the lines of standard input, the words after :::, or the lines of the
    files after ::::; several sources are combined, :::+ and ::::+ go side by side.

    \b
    {}   the input          {.}   without extension   {/}   without folders
    {//} its folder         {/.}  without both        {+.}  its extension alone
    {2}  second value, {2.} ...   {#}  number of the job    {%}  of its slot
         without any of these the input is appended

    \b
    ls *.log | lightwork map 'gzip -k {}' -j 8
    lightwork map 'convert {1} -resize {2} {1.}-{2}.png' ::: *.jpg ::: 100 800
    lightwork map --pipe --block 10M 'grep -c error' < huge.log
    lightwork map --func script:square -k ::: 1 2 3
    """  # noqa: D301 - click reads the backspace
    from lightwork.parallel.run import run_map
    from lightwork.parallel.settings import MapSettings, check
    from lightwork.parallel.sources import file_sources

    command = _one_word(words)
    sources: list[Source] = [*file_sources(arg_file), *ctx.meta[_SOURCES]]
    settings = MapSettings(command=command, sources=sources, **typed)
    check(settings)
    if not sources and sys.stdin.isatty() and not settings.quiet:
        note("lightwork: reads inputs from this terminal, one a line; Ctrl-D ends them")
    if status := run_map(settings):
        raise click.exceptions.Exit(status)


def _one_word(words: tuple[str, ...]) -> str:
    if len(words) == 1 and words[0].strip():
        return words[0]
    seen = f"{len(words)} words: {' '.join(words)}" if words else "none"
    raise click.UsageError(
        f"the command is one word of the command line, so quote it: 'gzip -k {{}}'; seen: {seen}"
    )
