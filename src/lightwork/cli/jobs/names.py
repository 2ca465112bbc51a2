"""Job names: how people name a job: by its number in the store, or by its UUID.

The number is what `lightwork jobs` shows. It is never given to another job, also not
after the job was pruned.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import UUID

import click

from lightwork.terminal.options import choose_url, is_url, shown_word

if TYPE_CHECKING:
    from lightwork.store.contract import Store

JobName = int | UUID
F = TypeVar("F", bound=Callable[..., Any])

# Options by which a verb chooses jobs itself.
CHOOSING: Final = ("failed", "cancelled", "every", "state", "task", "queue", "since")
# Fewer digits than any form of a UUID has, and no more than a database counts.
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


def parse_names(words: Sequence[str]) -> list[JobName]:
    """Return names of jobs, each once.

    Raises:
        click.UsageError: There is none, or a word is no name.
    """
    if not words:
        raise click.UsageError("name at least one job by its id; `lightwork jobs` lists them")
    return list(dict.fromkeys(map(_parse_name, words)))


def targets_argument(verb: F) -> F:
    """Accept names of jobs and, among them, a URL; the verb receives `url` and `names`.

    Where an option of matching.py chooses the jobs, there need be no names.
    """

    @click.argument("target", nargs=-1, metavar="ID... [URL]")
    @click.pass_context
    @functools.wraps(verb)
    def with_targets(ctx: click.Context, /, *, target: tuple[str, ...], **options: Any) -> Any:
        urls = [word for word in target if is_url(word)]
        if len(urls) > 1:
            raise click.UsageError(f"one URL is enough; seen: {', '.join(map(shown_word, urls))}")
        words = [word for word in target if not is_url(word)]
        is_chosen = any(options.get(name) for name in CHOOSING)
        names = parse_names(words) if words or not is_chosen else []
        return verb(url=choose_url(ctx, *urls), names=names, **options)

    return cast("F", with_targets)


def _parse_name(word: str) -> JobName:
    if _NUMBER.fullmatch(word):
        return int(word)
    try:
        return UUID(word)
    except ValueError as error:
        raise click.UsageError(
            f"a job is named by its number or its UUID, as `lightwork jobs` shows them; "
            f"seen: {shown_word(word)!r}"
        ) from error


def find_jobs(store: "Store", names: Sequence[JobName]) -> dict[UUID, JobName]:
    """Return jobs that exist by their ids, each with the name that was typed.

    Raises:
        JobNotFound: The store does not have one of them.
    """
    from lightwork.cli.jobs.waiting import refuse_unknown

    found = {name if isinstance(name, UUID) else _numbered(store, name): name for name in names}
    refuse_unknown(store, list(found))
    return found


def _numbered(store: "Store", number: int) -> UUID:
    from lightwork.durable.outcome_watch import job_not_found

    for view in store.jobs(before_seq=number + 1, limit=1):
        if view.seq == number:
            return view.id
    raise job_not_found(number, store.safe_url)
