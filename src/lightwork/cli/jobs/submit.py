"""`lightwork submit`: keep one job, by name.

The store need not be where the code is. Where the module is here all the same, a name
that it does not have is refused, so are arguments that its signature does not take, and the job
has what its task declares (queue, retries, unique, limit ...), as if a program had submitted it;
options that are given here win. Where it is not, a note says that only the options count.
"""

import dataclasses
import os
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from lightwork.cli.jobs.names import JobName, find_jobs, parse_names
from lightwork.cli.jobs.unique import chosen_unique, key_without_code
from lightwork.terminal.options import (
    choose_url,
    duration,
    instant,
    is_url,
    keywords_option,
    output_options,
)
from lightwork.terminal.output import note, print_json
from lightwork.terminal.values import read_value

if TYPE_CHECKING:
    from lightwork.model import NewJob
    from lightwork.store.contract import Store
    from lightwork.tasks.task import Task

# What a worker may look up: both parts there, no blanks, nothing local.
_TASK: Final = re.compile(r"[^\s:<>]+:[^\s:<>]+")
# The column of the store.
_LONGEST_NAME: Final = 500


def _job_names(
    _ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]
) -> list[JobName]:
    return parse_names(words) if words else []


@click.command()
@click.argument("words", nargs=-1, metavar="[URL] MODULE:FUNCTION [ARG]...")
@keywords_option
@click.option("--delay", type=duration, default=None, metavar="TIME", help="Not before then: 30s, 2h.")  # fmt: skip
@click.option("--at", type=instant, default=None, metavar="INSTANT", help="Not before then: 2026-12-24T18:00, of this machine's zone or the one it names.")  # fmt: skip
@click.option("--expires", type=duration, default=None, metavar="TIME", help="Cancel it if it has not begun by then.")  # fmt: skip
@click.option("--queue", default=None, help="Queue it waits in; without this and the following three: as its task declares.")  # fmt: skip
@click.option("--priority", type=int, default=None, metavar="N", help="Higher runs first.")
@click.option("--retries", type=int, default=None, metavar="N", help="Run it again after a failure.")  # fmt: skip
@click.option("--timeout", type=duration, default=None, metavar="TIME", help="Kill an attempt that runs longer.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, default=None, metavar="TAG", help="A word to find it by; may be repeated.")  # fmt: skip
@click.option("--after", multiple=True, callback=_job_names, metavar="ID", help="Run it when this job has succeeded; may be repeated.")  # fmt: skip
@click.option("--unique", metavar="KEY", help="Keep at most one job of the task and KEY at a time; user:{user_id} is filled with arguments.")  # fmt: skip
@click.option("--on-conflict", type=click.Choice(["skip", "replace", "raise"]), help="What becomes of it if a job of the key is there; skip: that one stands for it.")  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for its end and print the result.")
@click.option("--no-check", is_flag=True, help="Do not look whether the module, if it is here, has FUNCTION, and that takes the ARGs.")  # fmt: skip
@output_options
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    words: tuple[str, ...],
    kw: dict[str, Any],
    after: list[JobName],
    wait: bool,
    no_check: bool,
    json: bool,
    quiet: bool,
    **said: Any,
) -> None:
    """Keep one job that calls MODULE:FUNCTION with ARGs, and print its id.

    An ARG (or VALUE) is JSON if it reads as JSON, else text. Before one that begins
    with a dash write --, for example: lightwork submit script:square -- -3
    """
    url, name, args = _split(ctx, words)
    from lightwork.net.opening import open_store

    declared = None if no_check else _declared(name, args, kw, quiet=quiet)
    # What was not said is as the task declares it.
    said = {name: value for name, value in said.items() if value not in (None, ())}
    job = _new_job(name, declared, args, kw, said)
    # A store that is made now has no job that this one could wait for.
    with closing(open_store(url, create=not after)) as store:
        if after:
            job = dataclasses.replace(job, after=tuple(find_jobs(store, after)))
        taken: dict[UUID, UUID] = {}
        store.submit([job], taken=taken)
        if taken:
            job = dataclasses.replace(job, id=taken[job.id])
            note(f"lightwork: job {job.id} of the same unique key stands for this one")
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


def _declared(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, quiet: bool
) -> "Task[..., Any] | None":
    """Return the task, if there is one that can be seen from here."""
    from lightwork.tasks.task import Task
    from lightwork.terminal.modules import check_arguments, find_if_here

    found, unknown = find_if_here(name)
    if unknown and not quiet:
        note(
            f"lightwork: {unknown}; submitted all the same, for workers that know it, and under "
            "the options of this command alone: what the task declares is not known here"
        )
    check_arguments(name, found, args, kwargs, way_out="say --no-check")
    return found if isinstance(found, Task) else None


def _new_job(
    name: str,
    declared: "Task[..., Any] | None",
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    said: dict[str, Any],
) -> "NewJob":
    from lightwork.codec import Codec, Subject
    from lightwork.durable.ids import new_job_id
    from lightwork.durable.jobs import new_job
    from lightwork.model import NewJob, Policy
    from lightwork.tasks.task import make_policy

    of_task = None if declared is None else declared.policy.unique
    unique = chosen_unique(of_task, said.pop("unique", None), said.pop("on_conflict", None))
    if declared is not None:
        # Under the name that was typed, which is the one that workers are to find.
        return dataclasses.replace(
            new_job(Codec(), declared.options(**said, unique=unique), args, kwargs), task=name
        )
    job_id = new_job_id()
    return NewJob(
        id=job_id,
        task=name,
        payload=Codec().encode_call(Subject(job_id, name), args, kwargs),
        policy=make_policy(Policy(), **said),
        unique=None if unique is None else key_without_code(name, unique, kwargs),
    )


def _say_what_is_awaited(store: "Store", job_id: UUID, name: str) -> None:
    view = store.job(job_id)
    number = f" as job {view.seq}" if view is not None else ""
    note(f"submitted {job_id}{number}")
    if not store.summary().live_workers:
        module = name.partition(":")[0]
        note(f"no worker is alive; start one: lightwork worker {store.safe_url} -m {module}")


def _print_result(store: "Store", job: "NewJob", *, json: bool) -> None:
    from lightwork.cli.jobs.outcome import raise_unless_succeeded, result_fields, result_text
    from lightwork.cli.jobs.waiting import wait_for_ends
    from lightwork.net.keys.finding import find_authkey
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
