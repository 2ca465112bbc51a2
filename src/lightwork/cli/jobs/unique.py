"""Unique: what `lightwork submit --unique KEY --on-conflict WHAT` makes of a job's unique key.

What is said wins over what the task declares, where that is known here; the rest of a declaration
(until when, for how long) stays. Where it is not known, a key is text, filled with what `--kw` names.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lightwork.model import OnConflict, Unique, UniqueKey


def chosen_unique(
    declared: "Unique | None", key: str | None, on_conflict: "OnConflict | None"
) -> "Unique | None":
    """Return what a job is to be unique by; None: by nothing.

    Raises:
        click.UsageError: There is no key to which `on_conflict` could belong.
    """
    from lightwork.model import Unique

    if key == "":
        raise click.UsageError("--unique is a key, such as nightly or user:7; seen: nothing")
    if key is None and declared is None:
        if on_conflict is not None:
            raise click.UsageError(
                "--on-conflict says what becomes of a second job of a key, and no key is known here; "
                "say --unique KEY, too"
            )
        return None
    start = declared or Unique()
    return dataclasses.replace(
        start,
        key=start.key if key is None else key,
        on_conflict=on_conflict or start.on_conflict,
    )


def key_without_code(task: str, unique: "Unique", kwargs: dict[str, Any]) -> "UniqueKey":
    """Return the unique key of a job whose function cannot be seen from here.

    Raises:
        UsageError: It names an argument that has no name here.
    """
    from lightwork.bounds.keys import hashed_key
    from lightwork.errors import UsageError

    try:
        key = unique.key.format_map(kwargs) if "{" in unique.key else unique.key
    except KeyError as error:
        name = error.args[0]
        raise UsageError(
            f"the key {unique.key!r} names the argument {name!r}, and without the function nobody "
            f"knows which that is; say --kw {name}=..., or the key itself"
        ) from error
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"the key {unique.key!r} cannot be filled: {error!r}") from error
    return hashed_key(task, key, unique)
