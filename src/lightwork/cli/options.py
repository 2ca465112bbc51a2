"""Options: what several verbs accept, so that it means the same everywhere."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import click

from lightwork.cli.answers import keep_answers_apart
from lightwork.cli.job_names import parse_names
from lightwork.cli.times import parse_duration

F = TypeVar("F", bound=Callable[..., Any])

# Nothing imports the package's face; it is loaded already.
VERSION: Final[str] = sys.modules["lightwork"].__version__
DEFAULT_URL: Final = "sqlite:///lightwork.db"
# In the meta of a context: what named the URL, "" if it was typed or is the default.
URL_SOURCE: Final = "lightwork.url_source"


def is_url(word: str) -> bool:
    """Whether a word of the command line is a URL: nothing else holds "://"."""
    return "://" in word


def choose_url(ctx: click.Context, given: str = "") -> str:
    """Return the URL that was given, or that of the environment, the settings, or the default.

    Raises:
        click.UsageError: What was given is no URL.
    """
    settings: Any = ctx.find_root().default_map or {}
    setting = "url of [tool.lightwork] in pyproject.toml"
    sources = {
        "": given,
        "LIGHTWORK_URL": os.environ.get("LIGHTWORK_URL"),
        setting: settings.get("url"),
    }
    source, url = next(((name, url) for name, url in sources.items() if url), ("", DEFAULT_URL))
    if not is_url(url):
        raise click.UsageError(_not_a_url(source, url), ctx)
    ctx.meta[URL_SOURCE] = source
    return url


def _not_a_url(source: str, url: str) -> str:
    from lightwork.store.engine import hide_password

    named = repr(hide_password(url))
    if source:
        named = f"{source}={hide_password(url)}" if source.isupper() else f"{named}, the {source},"
    return f"{named} is not the URL of a store; expected one such as {DEFAULT_URL}"


def duration(value: object) -> float:
    """Return the seconds of an option that is typed as 30s, 10m, 2h or 7d."""
    try:
        return parse_duration(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def url_argument(verb: F) -> F:
    """Accept an optional URL, which the verb receives as `url`."""

    def choose(ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
        return choose_url(ctx, value or "")

    return click.argument("url", required=False, callback=choose)(verb)


def targets_argument(verb: F) -> F:
    """Accept names of jobs and, among them, a URL; the verb receives `url` and `names`."""

    @click.argument("target", nargs=-1, metavar="ID... [URL]")
    @click.pass_context
    @functools.wraps(verb)
    def with_targets(ctx: click.Context, /, *, target: tuple[str, ...], **options: Any) -> Any:
        urls = [word for word in target if is_url(word)]
        if len(urls) > 1:
            raise click.UsageError(f"one URL is enough; seen: {', '.join(urls)}")
        words = [word for word in target if not is_url(word)]
        # A verb that was told to choose by itself needs no names.
        names = parse_names(words) if words or not options.get("failed") else []
        return verb(url=choose_url(ctx, *urls), names=names, **options)

    return cast("F", with_targets)


def output_options(verb: F) -> F:
    """Accept --json and --quiet; with --json what functions print does not meet the answers."""

    @functools.wraps(verb)
    def with_answers(*args: Any, json: bool, **options: Any) -> Any:
        with keep_answers_apart() if json else contextlib.nullcontext():
            return verb(*args, json=json, **options)

    quiet = click.option("--quiet", is_flag=True, help="Print only the bare answer.")
    json = click.option("--json", is_flag=True, help="Print one JSON object a line.")
    return cast("F", json(quiet(with_answers)))
