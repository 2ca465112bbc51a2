"""`lightwork schedules add`: a schedule of any task, with arguments."""

import re
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.terminal.options import choose_url, is_url, keywords_option, output_options
from lightwork.terminal.output import answer, note
from lightwork.terminal.values import read_value

if TYPE_CHECKING:
    from lightwork.tasks.task import Task

# Those of schedules that are declared in code hold a colon.
_NAME: Final = re.compile(r"[\w.@+-]{1,100}")
_TASK: Final = re.compile(r"[^\s:<>]+:[^\s:<>]+")
_LONGEST_TASK: Final = 500
_CATCH_UP: Final = ("none", "one", "all")


@click.command()
@click.argument("words", nargs=-1, metavar="[URL] NAME SPEC MODULE:FUNCTION [ARG]...")
@keywords_option
@click.option("--tz", default=None, metavar="ZONE", help="Time zone of the fields of cron, such as Europe/Berlin; UTC.")  # fmt: skip
@click.option("--catch-up", type=click.Choice(_CATCH_UP), default="one", show_default=True,
              help="Jobs for due times that no worker was there for: none, one for the latest, all.")  # fmt: skip
@click.option("--queue", default=None, help="Queue that its jobs wait in; without it and the next: as the task declares.")  # fmt: skip
@click.option("--priority", type=int, default=None, metavar="N", help="Higher runs first.")
@output_options
@click.pass_context
def add(
    ctx: click.Context,
    /,
    *,
    words: tuple[str, ...],
    kw: dict[str, Any],
    tz: str | None,
    catch_up: str,
    json: bool,
    quiet: bool,
    **said: Any,
) -> None:
    """Have MODULE:FUNCTION called with ARGs, again and again.

    SPEC: five fields of cron, "0 3 * * *" (six: seconds first), "@daily", or "every 30s". An
    ARG is JSON if it reads as JSON, else text.
    """
    url, name, spec, task, args = _split(ctx, words)
    from lightwork.bounds.keys import filled_limits, unique_key
    from lightwork.codec import Codec, Subject
    from lightwork.model import CatchUp, NewSchedule, Policy
    from lightwork.net.opening import open_store
    from lightwork.schedule.rules import parse_rule
    from lightwork.tasks.task import make_policy

    rule = parse_rule(spec, tz)
    said = {name: value for name, value in said.items() if value is not None}
    found, codec = _declared(task, args, kw, quiet=quiet), Codec()
    new = NewSchedule(
        name=name,
        task=task,
        spec=rule.text,
        tz=rule.tz,
        catch_up=CatchUp(catch_up),
        policy=make_policy(found.policy if found else Policy(), **said),
        # Plain data only: the same bytes for every job.
        payload=codec.encode_call(Subject(uuid.UUID(int=0), task), args, kw),
        unique=unique_key(found, args, kw, digest=codec.payload_digest) if found else None,
        limits=filled_limits(found, args, kw) if found else (),
    )
    with closing(open_store(url)) as store:
        store.declare_schedules([new], replace=False)
        view = store.schedule(name)
    at = view and view.next_at
    shown = f"{name} is due next {at:%Y-%m-%d %H:%M:%S} UTC" if at else f"{name} is kept"
    answer({"schedule": name, "next_at": at}, shown, json=json, quiet=quiet)


def _split(
    ctx: click.Context, words: tuple[str, ...]
) -> tuple[str, str, str, str, tuple[Any, ...]]:
    # Only the first word can be the store's URL: an argument may well be another.
    given, rest = (words[0], words[1:]) if words and is_url(words[0]) else ("", words)
    if len(rest) < 3:
        raise click.UsageError(
            "say its name, when it is due and what is called: "
            "lightwork schedules add NAME SPEC MODULE:FUNCTION [ARG]...",
            ctx,
        )
    name, spec, task, *args = rest
    if not _NAME.fullmatch(name):
        raise click.UsageError(
            f"the name of a schedule has 1 to 100 letters, digits, or . _ - @ +; seen: {name!r}",
            ctx,
        )
    if not _TASK.fullmatch(task) or len(task) > _LONGEST_TASK:
        raise click.UsageError(f"a task is named MODULE:FUNCTION; seen: {task!r}", ctx)
    return choose_url(ctx, given), name, spec, task, tuple(map(read_value, args))


def _declared(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, quiet: bool
) -> "Task[..., Any] | None":
    """Return the task, if it can be seen from here."""
    from lightwork.tasks.task import Task
    from lightwork.terminal.modules import check_arguments, find_if_here

    found, unknown = find_if_here(name)
    if unknown and not quiet:
        note(
            f"lightwork: {unknown}; kept all the same, for workers that know it, and under the "
            "options of this command alone: what the task declares is not known here"
        )
    check_arguments(name, found, args, kwargs)
    return found if isinstance(found, Task) else None
