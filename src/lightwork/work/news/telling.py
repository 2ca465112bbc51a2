"""Telling: from what a worker does to events, for its log and for whoever listens.

An event that nobody wants is not made. All is told once it is recorded: what a listener hears
has happened.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from lightwork import lifecycle
from lightwork.events import kinds
from lightwork.events.kinds import Event, JobEvent, WorkerEvent
from lightwork.events.lines import is_logged, log_event
from lightwork.events.listeners import Listeners
from lightwork.model import Attempt, Progress
from lightwork.store.views import Rescued
from lightwork.work.flight.ending import Ran

# What the end of an attempt is called; what it has besides has the same names there.
_OF_END: Final[dict[type[lifecycle.AttemptEnd], type[JobEvent]]] = {
    lifecycle.Succeeded: kinds.Succeeded,
    lifecycle.Retried: kinds.Retried,
    lifecycle.Snoozed: kinds.Snoozed,
    lifecycle.Failed: kinds.Failed,
    lifecycle.Lost: kinds.Lost,
    lifecycle.Quarantined: kinds.Quarantined,
    lifecycle.Cancelled: kinds.Cancelled,
    lifecycle.Released: kinds.Released,
    lifecycle.Forfeited: kinds.Released,
}
_TOLD: Final = ("error", "delay")


class Telling:
    """Tells what one worker does; used by its loop only.

    Args:
        name: What people call the worker.
        listeners: Who hears of it, beside the log.
    """

    def __init__(self, name: str, listeners: Listeners) -> None:
        self._name = name
        self._listeners = listeners
        # Of the incarnation.
        self.worker = ""
        # The one whose loss was told last: while the store is away the loop meets it each half second.
        self._lost = ""
        # How long attempts ran that have ended and are not recorded yet, by the job.
        self._seconds: dict[int, float] = {}
        # Whether they are wanted, as was seen last.
        self._keeps_seconds = True

    def tell(self, event: Event) -> None:
        """Tell an event that was made anyway."""
        log_event(event)
        self._listeners.tell(event)

    def worker_is(self, kind: type[WorkerEvent], **values: Any) -> None:
        """Tell something about the worker itself."""
        self.tell(kind(worker=self.worker, name=self._name, **values))

    def lease_is_lost(self, *, held: int) -> None:
        """Tell that the incarnation may not act any more; once of each."""
        if self._lost != self.worker:
            self._lost = self.worker
            self.worker_is(kinds.WorkerLeaseLost, held=held)

    def claimed(self, attempts: Iterable[Attempt]) -> None:
        """Tell that these are its attempts now."""
        self._each(kinds.Claimed, attempts)

    def started(self, attempts: Iterable[Attempt]) -> None:
        """Tell that these have begun."""
        self._each(kinds.Started, attempts)

    def refused(self, attempts: Iterable[Attempt]) -> None:
        """Tell that the store did not take the ends of these."""
        self._each(kinds.Refused, attempts)

    def progressed(self, reports: Iterable[tuple[Attempt, Progress]]) -> None:
        """Tell how far attempts are."""
        if self._hears(kinds.Progressed):
            for attempt, progress in reports:
                self.tell(self._event(kinds.Progressed, attempt, progress=progress))

    def note_seconds(self, ran: Iterable[Ran]) -> None:
        """Keep how long attempts ran until their ends are told."""
        if self._keeps_seconds:
            self._seconds |= {one.seq: seconds for one, _, seconds in ran if seconds > 0}

    def ended(self, ends: Iterable[tuple[Attempt, lifecycle.AttemptEnd]]) -> None:
        """Tell how attempts have ended, now that it is recorded."""
        self._keeps_seconds = self._hears(kinds.Succeeded)
        seconds, self._seconds = self._seconds, {}
        wanted = {kind for kind, event in _OF_END.items() if self._hears(event)}
        if not wanted:
            return
        for attempt, end in ends:
            if type(end) not in wanted:
                continue
            values = {name: getattr(end, name) for name in _TOLD if hasattr(end, name)}
            if isinstance(end, lifecycle.Succeeded):
                values["seconds"] = seconds.get(attempt.seq, 0.0)
            self.tell(self._event(_OF_END[type(end)], attempt, **values))

    def rescued(self, rescued: Iterable[Rescued]) -> None:
        """Tell that these attempts of dead workers were ended."""
        if self._hears(kinds.Rescued):
            for one in rescued:
                self.tell(
                    kinds.Rescued(
                        job_id=one.job_id,
                        task=one.task,
                        queue=one.queue,
                        attempt=one.number,
                        worker=self.worker,
                        of=one.worker,
                        state=one.state_after,
                    )
                )

    def _each(self, kind: type[JobEvent], attempts: Iterable[Attempt]) -> None:
        if self._hears(kind):
            for attempt in attempts:
                self.tell(self._event(kind, attempt))

    def _hears(self, kind: type[Event]) -> bool:
        return is_logged(kind) or self._listeners.hears(kind)

    def _event(self, kind: Callable[..., JobEvent], attempt: Attempt, **values: Any) -> JobEvent:
        return kind(
            job_id=attempt.job_id,
            seq=attempt.seq,
            task=attempt.task,
            queue=attempt.policy.queue,
            attempt=attempt.number,
            worker=self.worker,
            **values,
        )
