"""Options: what several verbs accept, so that it means the same everywhere."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from lightwork.terminal.amounts import parse_duration
from lightwork.terminal.answers import keep_answers_apart

if TYPE_CHECKING:
    from lightwork.model import Retention

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


def shown_word(word: str) -> str:
    """Return a word that was typed as it may be repeated: it may be a URL, or be meant for one."""
    from lightwork.store.urls import hide_password

    return hide_password(word)


def _not_a_url(source: str, url: str) -> str:
    named = repr(shown_word(url))
    if source:
        named = f"{source}={shown_word(url)}" if source.isupper() else f"{named}, the {source},"
    return f"{named} is not the URL of a store; expected one such as {DEFAULT_URL}"


def duration(value: object) -> float:
    """Return the seconds of an option that is typed as 30s, 10m, 2h or 7d."""
    try:
        return parse_duration(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def instant(value: object) -> datetime:
    """Return the instant of an option that is typed as ISO 8601; of this machine's zone where it has none."""
    try:
        return datetime.fromisoformat(str(value)).astimezone()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{value!r} is no instant; expected one such as 2026-12-24T18:00 or 2026-12-24T17:00Z"
        ) from error


def retention(value: object) -> "Retention":
    """Return what an option says that is typed as 30d, forever, or failed=90d,succeeded=1d."""
    from lightwork.terminal.retention import parse_retention

    try:
        return parse_retention(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def url_argument(verb: F) -> F:
    """Accept an optional URL, which the verb receives as `url`."""

    def choose(ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
        return choose_url(ctx, value or "")

    return click.argument("url", required=False, callback=choose)(verb)


def url_option(text: str) -> Callable[[F], F]:
    """Accept --url, which the verb receives as `url`; "" if it is not said."""

    def check(_ctx: click.Context, _param: click.Parameter, url: str) -> str:
        if url and not is_url(url):
            raise click.UsageError(
                f"--url {shown_word(url)}: not the URL of a store; expected {DEFAULT_URL}"
            )
        return url

    return click.option("--url", default="", metavar="URL", callback=check, help=text)


def keywords_option(verb: F) -> F:
    """Accept --kw NAME=VALUE, which the verb receives as a dict, `kw`."""

    def read(_ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> Any:
        return dict(map(_keyword, words))

    option = click.option(
        "--kw", multiple=True, metavar="NAME=VALUE", help="A keyword argument.", callback=read
    )
    return option(verb)


def _keyword(text: str) -> tuple[str, Any]:
    from lightwork.terminal.values import read_value

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise click.UsageError(f"--kw expects NAME=VALUE; seen: {text!r}")
    return name, read_value(value)


def output_options(verb: F) -> F:
    """Accept --json and --quiet; with --json what functions print does not meet the answers."""

    @functools.wraps(verb)
    def with_answers(*args: Any, json: bool, **options: Any) -> Any:
        with keep_answers_apart() if json else contextlib.nullcontext():
            return verb(*args, json=json, **options)

    quiet = click.option("--quiet", is_flag=True, help="Print only the bare answer.")
    json = click.option("--json", is_flag=True, help="Print one JSON object a line.")
    return cast("F", json(quiet(with_answers)))
