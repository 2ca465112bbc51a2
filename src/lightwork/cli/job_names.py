"""Job names: how people name a job: by its number in the store, or by its UUID.

The number is what `lightwork jobs` shows. It is never given to another job, also not
after the job was pruned.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click

if TYPE_CHECKING:
    from lightwork.store.contract import Store

JobName = int | UUID

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


def _parse_name(word: str) -> JobName:
    if _NUMBER.fullmatch(word):
        return int(word)
    try:
        return UUID(word)
    except ValueError as error:
        raise click.UsageError(
            f"a job is named by its number or its UUID, as `lightwork jobs` shows them; "
            f"seen: {word!r}"
        ) from error


def find_jobs(store: "Store", names: Sequence[JobName]) -> dict[UUID, JobName]:
    """Return jobs that exist by their ids, each with the name that was typed.

    Raises:
        JobNotFound: The store does not have one of them.
    """
    from lightwork.cli.waiting import refuse_unknown

    found = {name if isinstance(name, UUID) else _numbered(store, name): name for name in names}
    refuse_unknown(store, list(found))
    return found


def _numbered(store: "Store", number: int) -> UUID:
    from lightwork.errors import JobNotFound

    for view in store.jobs(before_seq=number + 1, limit=1):
        if view.seq == number:
            return view.id
    raise JobNotFound(
        f"no job {number} in {store.safe_url}: it was never submitted there, or it has been pruned",
        job_id=str(number),
    )
