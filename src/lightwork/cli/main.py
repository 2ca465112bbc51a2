"""Main: the verbs of the command line, and the one place where errors become exit statuses.

Imports click only: `lightwork --help` must answer at once. A verb is a row of
VERBS; its module is imported when the verb is used.

    0    done
    1    the work failed, or something is unhealthy
    2    wrong use: nothing was changed
    3    the store is out of reach
    130  Ctrl-C

`lightwork map` ends as GNU parallel does: with the number of failed jobs (101: more
than 100), and with 255 where the others have 2 and 3.

Settings, the first that is there: the flag; the environment (LIGHTWORK_URL,
LIGHTWORK_VERB_OPTION); `[tool.lightwork]` of ./pyproject.toml; the default.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any, Final, NoReturn, cast

import click

from lightwork.cli.settings import fit, read_settings
from lightwork.error_text import did_you_mean
from lightwork.terminal.answers import forget_closed_terminal
from lightwork.terminal.options import URL_SOURCE, VERSION
from lightwork.terminal.output import printable

DONE: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
OUT_OF_REACH: Final = 3
INTERRUPTED: Final = 130
OTHER: Final = 255

# Each verb: where it is, and its line in --help.
VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("lightwork.cli.demo:demo", "Run the main job on real input."),
    "worker": ("lightwork.cli.worker.command:worker", "Claim jobs and run them until stopped."),
    "serve": ("lightwork.cli.serve.command:serve", "Offer a store to other machines over HTTP."),
    "submit": ("lightwork.cli.jobs.submit:submit", "Keep one job in the store."),
    "jobs": ("lightwork.cli.jobs.command:jobs", "List jobs; show, retry, cancel, wait for some."),
    "status": (
        "lightwork.cli.status.command:status",
        "Show the store on one screen; is it healthy?",
    ),
    "queues": ("lightwork.cli.queues:queues", "List queues; pause, resume or purge one."),
    "locks": ("lightwork.cli.locks:locks", "List locks and shared queues; release a lock."),
    "metrics": ("lightwork.cli.metrics.command:metrics", "Print what Prometheus reads."),
    "schedules": (
        "lightwork.cli.schedules.command:schedules",
        "List schedules; add, pause, run some.",
    ),
    "run": ("lightwork.cli.run:run", "Call one function and print its result."),
    "map": ("lightwork.cli.map:map_", "Run a command or function for each line of input."),
    "tune": ("lightwork.cli.tune:tune", "Threads or processes, how many: measured."),
    "workers": ("lightwork.cli.workers:workers", "List workers; tell some to end."),
    "key": ("lightwork.cli.key:key", "Make the key that a server and its clients share."),
    "doctor": (
        "lightwork.cli.doctor.command:doctor",
        "Look at database, clock, versions and limits; say what to do.",
    ),
    "db": (
        "lightwork.cli.db.command:db",
        "Create, upgrade, check, copy, measure or prune a store.",
    ),
}
_TYPED: Final = "lightwork.typed"
_EPILOG: Final = """\b
URL names the store; default: LIGHTWORK_URL, then url of [tool.lightwork] in
pyproject.toml, then sqlite:///lightwork.db in this folder.
Any option may be set there too: grace of [tool.lightwork.worker], or
LIGHTWORK_WORKER_GRACE in the environment, which comes before the file.

\b
Everywhere: --json prints one JSON object a line, --quiet only the bare answer;
NO_COLOR is obeyed, and a pipe gets plain text with tabs.
Exit status: 0 done, 1 the work failed or is unhealthy, 2 wrong use, 3 the store
is out of reach. Completion: eval "$(_LIGHTWORK_COMPLETE=bash_source lightwork)"
(or zsh_source, fish_source).
"""


class Ended(click.ClickException):
    """One of our errors, to be shown as `lightwork: text` and turned into an exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.exit_code = status  # type: ignore[misc]  # each error its own

    def show(self, file: Any = None) -> None:
        """Print it."""
        click.echo(f"lightwork: {printable(self.format_message())}", file=file or sys.stderr)


class Verbs(click.Group):
    """The verbs, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, in the order of the table."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb, or return None if there is none of this name."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may have been meant."""
        is_known = ctx.resilient_parsing or args[0] in VERBS
        if not is_known and (near := did_you_mean(args[0], VERBS)):
            ctx.fail(f"no such command {args[0]!r}{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing a verb."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read what stands before the verb."""
        typed = list(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _complain(error, typed, MISUSED)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what was typed, for what may have to be said about it."""
        ctx.meta[_TYPED] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; whatever ends it becomes words and an exit status."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _complain(error, ctx.meta[_TYPED], _status_of(ctx, MISUSED))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as error:
            _end(ctx, error)


def _complain(error: click.UsageError, typed: Sequence[str], status: int) -> NoReturn:
    # Not an error: help was asked for by saying nothing. Older releases of click just print it.
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        raise error
    from lightwork.cli.complaints import complaint

    raise Ended(complaint(error, typed), status) from error


def _status_of(ctx: click.Context, status: int) -> int:
    # Where an exit status counts failed jobs, every other error has one of its own.
    is_count = ctx.invoked_subcommand == "map" and status in {MISUSED, OUT_OF_REACH}
    return OTHER if is_count else status


def _end(ctx: click.Context, error: Exception) -> NoReturn:
    # Only now: this import takes longer than the whole of --help.
    from lightwork.errors import Error, JobNotFound, StoreError, UsageError

    text, url_source = str(error), ctx.meta.get(URL_SOURCE)
    if isinstance(error, StoreError):
        status = OUT_OF_REACH
    elif isinstance(error, UsageError | JobNotFound):
        status = MISUSED
    elif isinstance(error, Error | TimeoutError):
        status = FAILED
    else:
        raise error
    if url_source and isinstance(error, StoreError | UsageError):
        # Whoever did not type the URL must learn where it came from.
        text = f"{text} (the URL is that of {url_source})"
    raise Ended(text, _status_of(ctx, status)) from error


@click.command(
    cls=Verbs,
    epilog=_EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "LIGHTWORK",
        "max_content_width": 100,
    },
)
@click.version_option(
    VERSION,
    prog_name="lightwork",
    # LIGHTWORK_VERSION in the environment would end every verb with the version.
    allow_from_autoenv=False,
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run Python functions on threads, processes and machines; lose nothing."""
    settings = read_settings(VERBS)
    verb = ctx.invoked_subcommand or ""
    if verb in settings:
        command = cast("Verbs", ctx.command).get_command(ctx, verb)
        assert command is not None, "the verbs of the settings are those of the table"
        settings[verb] = fit(settings[verb], command, f"lightwork.{verb}")
    ctx.default_map = settings


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end a listing.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(prog_name="lightwork")
    finally:
        forget_closed_terminal()
