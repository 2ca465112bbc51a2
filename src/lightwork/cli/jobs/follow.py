"""Follow: `lightwork jobs --follow`: a line for each job that is submitted and each end, as they come.

Begins with what happens after it was started, ends with Ctrl-C or when nobody reads any more. While
the store is out of reach it waits, and says so once.
"""

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from lightwork.errors import StoreUnavailable
from lightwork.events import kinds
from lightwork.events.kinds import Event, JobEvent
from lightwork.model import State
from lightwork.tasks.names import origin_of, short_name
from lightwork.terminal.happening import event_fields, event_line
from lightwork.terminal.output import has_colours, note, print_json
from lightwork.work.news.following import Follower

if TYPE_CHECKING:
    from lightwork.store.contract import Store

_LOOK_SECONDS: Final = 1.0
_OF_STATE: Final[dict[State, tuple[type[JobEvent], ...]]] = {
    State.SUCCEEDED: (kinds.Succeeded,),
    State.FAILED: (kinds.Failed, kinds.Quarantined),
    State.CANCELLED: (kinds.Cancelled,),
}


class Filter:
    """Which events are shown.

    Raises:
        click.UsageError: Nothing ends in this state.
    """

    def __init__(self, state: State | None, task: str | None, queue: str | None) -> None:
        if state is not None and state not in _OF_STATE:
            raise click.UsageError(
                f"--follow tells how jobs end: --state is one of {', '.join(_OF_STATE)} then"
            )
        self._kinds = _OF_STATE[state] if state is not None else ()
        self._task = task
        self._queue = queue

    def wants_kind(self, *of: type[Event]) -> bool:
        """Whether events of one of these kinds may be wanted."""
        return not self._kinds or any(kind in self._kinds for kind in of)

    def wants(self, event: JobEvent) -> bool:
        """Whether this one is."""
        names = {event.task}
        if origin_of(event.task):
            # Typed without an origin it means the tasks of all scripts of that name.
            names.add(short_name(event.task))
        return (self._task is None or self._task in names) and self._queue in {None, event.queue}


def follow(store: "Store", wanted: Filter, *, json: bool, quiet: bool) -> None:
    """Print what happens until Ctrl-C."""
    follower = Follower(store, wanted.wants_kind)
    # How following ends: nothing was interrupted.
    with suppress(KeyboardInterrupt):
        follower.begin()
        seen, is_told = -1, False
        while True:
            try:
                while events := follower.look():
                    for event in filter(wanted.wants, events):
                        _print(event, json=json, quiet=quiet)
                seen = store.wait_for_change(seen, _LOOK_SECONDS)
                is_told = False
            except StoreUnavailable as error:
                if not is_told:
                    note(f"out of reach, trying again: {error}")
                is_told = True
                time.sleep(_LOOK_SECONDS)


def _print(event: JobEvent, *, json: bool, quiet: bool) -> None:
    if json:
        print_json(event_fields(event))
    elif quiet:
        click.echo(str(event.job_id))
    else:
        line = event_line(event, colours=has_colours(sys.stdout))
        click.echo(f"{event.at.astimezone():%H:%M:%S} {line}")
