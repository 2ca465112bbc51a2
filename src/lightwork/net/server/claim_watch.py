"""Claim watch: workers that wait for jobs, of whom no more are woken than may be needed.

Were each worker told of each change, the jobs of one would wake all: each asks where jobs are ready, and all
but one claim in vain. So the thread that hears of a change looks once for all of them where jobs are ready:

    nothing is ready         nobody is woken
    something is             the one that has waited longest is answered, and told where
    ... and still is, a moment later (it was more than that one takes, or it knows no such task, or has
        no slot, or is gone)  the next two, then four, and so on, until nothing is ready or nobody waits
    a worker is to end       it is answered

Of jobs that this server has kept itself it tells the one before the thread has looked (`note_submitted`): the look takes as
long as the claim. What the thread sees of that is left to those who are told a moment later.

That something is ready is no news twice: who has been told of a number is parked until there is another. How many
jobs are ready is not asked: it would be counted at each change, and a batch is worth a second look.

What is answered belongs to a number, and whoever comes with an older one has a look of his own.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from lightwork.errors import StoreError
from lightwork.model import Lane, NewJob
from lightwork.net.server.watch import Waiting, Watch
from lightwork.net.wire.about import LONGEST_WAIT, Poll, Polled
from lightwork.store.contract import Store

# Longer than it takes the one that was told to claim: most jobs are alone.
NEXT_SECONDS: Final = 0.02
# Longer than it takes to look, and shorter than a job of one who submits the next when he has its outcome.
SAME_SECONDS: Final = 0.005

Queues = tuple[str, ...]
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is for workers: where jobs are ready, by the queues of a worker; who is to end."""

    ready: dict[Queues, list[Lane]]
    ending: frozenset[UUID]


class ClaimWatch(Watch):
    """Parks the polls of workers; used in the event loop, but for its own thread.

    Args:
        store: What is watched.
        server: The id of this server.
        run: Calls the store, without holding up the loop.
    """

    name = "lightwork-claims"

    def __init__(self, store: Store, server: str, run: Run) -> None:
        super().__init__(store, server, lambda: run(store.changes))
        self._run_call = run
        # By queues: of those who are told one after another, who is next.
        self._next: dict[Queues, asyncio.Task[None]] = {}
        # By queues: of those of whom one was told of a submit, until when what is seen may be just that.
        self._told_until: dict[Queues, float] = {}
        # And the reverse: until when a submit may be what the thread has just told.
        self._seen_until: dict[Queues, float] = {}
        # Who was to end when the thread looked last.
        self._ending: frozenset[UUID] = frozenset()

    async def poll(
        self,
        poll: Poll,
        gone: Coroutine[None, None, None],
        renewing: "asyncio.Future[set[UUID]] | None" = None,
    ) -> Polled:
        """Return as soon as there is something to do for the worker that waits.

        Args:
            poll: What was asked.
            gone: Returns when nobody waits for the answer any more.
            renewing: Of which of its workers the leases are renewed meanwhile; the answer says so.

        Raises:
            StoreError: The store cannot be asked.
        """
        if renewing is None:
            return await self._poll(poll, gone, lambda _: None)

        def note(leaving: "asyncio.Future[None]") -> None:
            renewing.add_done_callback(functools.partial(self._end_if_lost, poll, leaving))

        polled = await self._poll(poll, gone, note)
        renewed = _renewed(renewing)
        if renewed is None:
            return polled
        lost = [one for one in poll.workers if one not in renewed]
        kept = [one for one in poll.workers if one in renewed]
        return replace(polled, renewed=kept, lost=lost)

    @staticmethod
    def _end_if_lost(
        poll: Poll, leaving: "asyncio.Future[None]", renewing: "asyncio.Future[set[UUID]]"
    ) -> None:
        renewed = _renewed(renewing)
        if renewed is not None and not renewed.issuperset(poll.workers):
            # It is answered at once.
            leaving.cancel()

    async def _poll(
        self,
        poll: Poll,
        gone: Coroutine[None, None, None],
        note: Callable[["asyncio.Future[None]"], None],
    ) -> Polled:
        leaving = asyncio.ensure_future(gone)
        note(leaving)
        try:
            if poll.server != self._server or poll.seen is None:
                # It looks for itself, after this.
                return self._polled(await self._ask())
            return await self._wait_for(poll, leaving)
        finally:
            leaving.cancel()

    def stop(self) -> None:
        """Answer all who are parked, and from now on at once."""
        for task in self._next.values():
            task.cancel()
        super().stop()

    def note_submitted(self, jobs: Iterable[NewJob]) -> None:
        """Tell the one that has waited longest of jobs that were kept just now."""
        ready = dict.fromkeys(
            Lane(job.policy.queue, job.task) for job in jobs if _is_ready_at_once(job)
        )
        for waiting, poll in self._parked.items():
            lanes = [lane for lane in ready if lane.queue in poll.queues]
            if not lanes or waiting.done():
                continue
            if not self._is_within(self._seen_until, _queues(poll)):
                waiting.set_result(Polled(self._server, poll.seen or 0, lanes=lanes))
                self._told_until[_queues(poll)] = self._loop.time() + SAME_SECONDS
            return

    async def _wait_for(self, poll: Poll, leaving: "asyncio.Future[None]") -> Polled:
        until = self._loop.time() + min(poll.wait, LONGEST_WAIT)
        changed, number = self._changed, poll.seen or 0
        newest = number if number == self._known else await self._ask()
        # Those who are told one after another have a look before each.
        is_ending = not self._ending.isdisjoint(poll.workers)
        is_looked_for = number == newest or (_queues(poll) in self._next and not is_ending)
        while True:
            left = until - self._loop.time()
            if left <= 0 or self._is_stopping or leaving.done():
                return self._polled(number)
            if not is_looked_for:
                changed, number = self._changed, max(newest, self._known)
                seen = await self._run_call(lambda: self._look_for({_queues(poll)}))
                if answer := self._answer(poll, number, seen):
                    return answer
                is_looked_for = True
            # What was seen meanwhile wakes nobody who parks after.
            if changed == self._changed:
                answer = await self._park(replace(poll, seen=number), leaving, left)
                if self._error is not None:
                    raise self._error
                if answer is not None:
                    return answer
            else:
                is_looked_for = False

    def _answer(self, poll: Poll, number: int, seen: _Seen) -> Polled | None:
        lanes = seen.ready.get(_queues(poll), [])
        is_ending = not seen.ending.isdisjoint(poll.workers)
        if not lanes and not is_ending:
            return None
        return Polled(self._server, number, lanes=lanes, is_ending=is_ending)

    def _over(self, poll: Poll) -> Polled:
        number = poll.seen or 0
        if _queues(poll) not in self._next:
            # All that came was looked at for this one, too, and it is not about to be told.
            number = max(number, self._known)
        return Polled(self._server, number)

    def _look(self) -> _Seen:
        return self._look_for({_queues(poll) for poll in self._parked.copy().values()})

    def _look_for(self, all_queues: Iterable[Queues]) -> _Seen:
        ready = {queues: self._store.lanes(queues) for queues in all_queues}
        return _Seen(ready, frozenset(self._store.draining()))

    def _note_news(self, number: int, seen: _Seen) -> None:
        self._changed += 1
        self._known, self._ending = number, seen.ending
        if seen.ending:
            for waiting, poll in self._parked.items():
                if self._is_new_to(waiting, poll) and not seen.ending.isdisjoint(poll.workers):
                    waiting.set_result(self._answer(poll, number, seen))
        for waiting, poll in self._parked.items():
            if not waiting.done() and _queues(poll) not in seen.ready:
                # It came after the look, for queues that nobody waited for: it looks itself.
                waiting.set_result(None)
        for queues, lanes in seen.ready.items():
            if lanes and self._is_within(self._told_until, queues):
                self._tell(queues, lanes, 0)
            elif lanes:
                self._tell(queues, lanes, 1)
                self._seen_until[queues] = self._loop.time() + SAME_SECONDS

    def _is_within(self, until: dict[Queues, float], queues: Queues) -> bool:
        if until.get(queues, 0.0) > self._loop.time():
            return True
        until.pop(queues, None)
        return False

    def _tell(self, queues: Queues, lanes: list[Lane], most: int) -> None:
        """Tell so many where jobs are ready, and others later if need be."""
        left = most
        for waiting, poll in self._parked.items():
            if not self._is_new_to(waiting, poll) or _queues(poll) != queues:
                continue
            if not left:
                if queues not in self._next:
                    others = self._tell_others(queues, max(2 * most, 2))
                    self._next[queues] = asyncio.ensure_future(others)
                break
            waiting.set_result(Polled(self._server, self._known, lanes=lanes))
            left -= 1

    def _is_new_to(self, waiting: Waiting, poll: Poll) -> bool:
        return not waiting.done() and poll.seen != self._known

    async def _tell_others(self, queues: Queues, most: int) -> None:
        try:
            await asyncio.sleep(NEXT_SECONDS)
        finally:
            # Before the look: what comes ready after it has another.
            del self._next[queues]
        try:
            lanes = await self._run_call(lambda: self._store.lanes(queues))
        except StoreError:
            # Whoever watches says so.
            lanes = []
        if lanes:
            self._tell(queues, lanes, most)


def _renewed(renewing: "asyncio.Future[set[UUID]]") -> set[UUID] | None:
    """Return whose leases were renewed; None: that is not known, or was not possible."""
    # An error is told by the next heartbeat: the poll is about something else.
    is_known = renewing.done() and not renewing.cancelled() and renewing.exception() is None
    return renewing.result() if is_known else None


def _is_ready_at_once(job: NewJob) -> bool:
    """Whether a new job waits for nothing but a worker, as far as it says itself."""
    is_due = not job.policy.delay and job.policy.at is None
    return is_due and not job.after and not job.limits


def _queues(poll: Poll) -> Queues:
    return tuple(poll.queues)
