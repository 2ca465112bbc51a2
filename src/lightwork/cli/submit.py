"""`lightwork submit`: keep one job, by name.

The store need not be where the code is. Where the module is here all the same, a name
that it does not have is refused, and the job has what its task declares (queue, retries
...), as if a program had submitted it; options that are given here win. Where it is not,
a note says that only the options count.
"""

import os
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from lightwork.cli.options import choose_url, duration, is_url, output_options
from lightwork.cli.output import note, print_json
from lightwork.cli.values import read_value

if TYPE_CHECKING:
    from lightwork.model import NewJob, Policy
    from lightwork.store.contract import Store

# What a worker may look up: both parts there, no blanks, nothing local.
_TASK: Final = re.compile(r"[^\s:<>]+:[^\s:<>]+")
# The column of the store.
_LONGEST_NAME: Final = 500


@click.command()
@click.argument("words", nargs=-1, metavar="[URL] MODULE:FUNCTION [ARG]...")
@click.option("--kw", multiple=True, metavar="NAME=VALUE", help="A keyword argument.")
@click.option("--delay", type=duration, default=None, metavar="TIME", help="Not before then: 30s, 2h.")  # fmt: skip
@click.option("--queue", default=None, help="Queue it waits in; without this and the following four: as its task declares.")  # fmt: skip
@click.option("--priority", type=int, default=None, metavar="N", help="Higher runs first.")
@click.option(
    "--retries", type=int, default=None, metavar="N", help="Run it again after a failure."
)
@click.option("--timeout", type=duration, default=None, metavar="TIME", help="Kill an attempt that runs longer.")  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for its end and print the result.")
@click.option("--no-check", is_flag=True, help="Do not look whether the module, if it is here, has FUNCTION.")  # fmt: skip
@output_options
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    words: tuple[str, ...],
    kw: tuple[str, ...],
    delay: float | None,
    queue: str | None,
    priority: int | None,
    retries: int | None,
    timeout: float | None,
    wait: bool,
    no_check: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Keep one job that calls MODULE:FUNCTION with ARGs, and print its id.

    An ARG (or VALUE) is JSON if it reads as JSON, else text. Before one that begins
    with a dash write --, for example: lightwork submit script:square -- -3
    """
    url, name, args = _split(ctx, words)
    kwargs = dict(map(_keyword, kw))
    from lightwork.model import Policy
    from lightwork.store.sqlstore import open_store
    from lightwork.tasks import make_policy

    declared = Policy() if no_check else _declared(name, quiet=quiet)
    given = {
        "delay": delay,
        "queue": queue,
        "priority": priority,
        "retries": retries,
        "timeout": timeout,
    }
    policy = make_policy(declared, **_said(given))
    job = _new_job(name, args, kwargs, policy=policy)
    with closing(open_store(url)) as store:
        store.submit([job])
        if not wait:
            print_json({"id": job.id}) if json else click.echo(str(job.id))
            return
        if not quiet:
            _say_what_is_awaited(store, job.id, name)
        _print_result(store, job, json=json)


def _split(ctx: click.Context, words: tuple[str, ...]) -> tuple[str, str, tuple[Any, ...]]:
    # Only the first word can be the store's URL: an argument may well be another.
    given, rest = (words[0], words[1:]) if words and is_url(words[0]) else ("", words)
    if not rest:
        raise click.UsageError("name the task: lightwork submit MODULE:FUNCTION [ARG]...", ctx)
    name = rest[0]
    if not _TASK.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise click.UsageError(f"a task is named MODULE:FUNCTION; seen: {name!r}", ctx)
    return choose_url(ctx, given), name, tuple(map(read_value, rest[1:]))


def _declared(name: str, *, quiet: bool) -> "Policy":
    """Return the policy of the task, if it can be seen from here, else the default one."""
    from lightwork.cli.modules import find_if_here
    from lightwork.model import Policy
    from lightwork.tasks import Task

    found, unknown = find_if_here(name)
    if unknown and not quiet:
        note(
            f"lightwork: {unknown}; submitted all the same, for workers that know it, and under "
            "the options of this command alone: what the task declares is not known here"
        )
    return found.policy if isinstance(found, Task) else Policy()


def _said(options: dict[str, Any]) -> Any:
    # What make_policy takes, which mypy cannot know.
    return {name: value for name, value in options.items() if value is not None}


def _keyword(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise click.UsageError(f"--kw expects NAME=VALUE; seen: {text!r}")
    return name, read_value(value)


def _new_job(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, policy: Any) -> "NewJob":
    from lightwork.codec import Codec, Subject
    from lightwork.model import NewJob
    from lightwork.work.ids import new_job_id

    job_id = new_job_id()
    return NewJob(
        id=job_id,
        task=name,
        payload=Codec().encode_call(Subject(job_id, name), args, kwargs),
        policy=policy,
    )


def _say_what_is_awaited(store: "Store", job_id: UUID, name: str) -> None:
    view = store.job(job_id)
    number = f" as job {view.seq}" if view is not None else ""
    note(f"submitted {job_id}{number}")
    if not store.summary().live_workers:
        module = name.partition(":")[0]
        note(f"no worker is alive; start one: lightwork worker {store.safe_url} -m {module}")


def _print_result(store: "Store", job: "NewJob", *, json: bool) -> None:
    from lightwork.cli.outcome import raise_unless_succeeded, result_fields, result_text
    from lightwork.cli.waiting import wait_for_ends
    from lightwork.work.keys import find_authkey
    from lightwork.work.unserved import NOBODY

    authkey = find_authkey(file=os.environ.get("LIGHTWORK_AUTHKEY_FILE", ""))
    # That nobody is alive was said at once.
    (outcome,) = wait_for_ends(store, [job.id], told=[NOBODY])
    if json:
        fields = result_fields(outcome, task=job.task, authkey=authkey)
        print_json({"id": job.id, "state": outcome.state} | fields)
    raise_unless_succeeded(outcome)
    if not json:
        click.echo(result_text(outcome, task=job.task, authkey=authkey))
