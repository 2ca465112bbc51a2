"""A model of a worker's lease, its store, and the polls that renew it while the worker rests; lease.py, net/client/carried.py.

    heartbeat   ──renew──▶ store ──answer──▶ window opens, from when it was sent
    poll        ──────────▶ store, parked ──▶ ... answer (or none): what it renewed is known
    loop        works: inside of the window at once; else renewed first

Time passes in ticks, at any moment: a lease is LEASE of them, and its window what `trusted_until` leaves of that. A message
may take any time, or be lost on either way; a store that finds the lease ended never revives it. What a thread does
without asking anybody is one step.

Wrong is a worker that may act, as it believes, beside a lease that is over; and one that can neither work any more nor hears
that its lease is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from explore import Step
from lightwork.work.lease import trusted_until

LEASE: Final = 5
# Whole ticks: the margin is one of them.
WINDOW: Final = int(trusted_until(0.0, LEASE))
# Of a message: on its way, or back with one of these.
SENT, RENEWED, OVER, FAILED = "sent", "renewed", "over", "failed"
PARKED, NOTHING = "parked", ""


class Message(NamedTuple):
    """A renewal, and how many ticks ago it was sent."""

    does: str = NOTHING
    age: int = 0


class World(NamedTuple):
    """A worker and its lease."""

    # Ticks until the store's lease is over; 0: it is.
    left: int = LEASE
    # Ticks until the end of the window.
    window: int = WINDOW
    holds: bool = False
    is_idle: bool = True
    is_resting: bool = False
    is_lost: bool = False
    beat: Message = Message()
    # Of the loop, that is about to work.
    work: Message = Message()
    poll: Message = Message()
    # How long ago the last poll was sent that is known to have renewed.
    known: int = LEASE


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Mistakes that the model can make.

    Attributes:
        counts_from_answers: A window is counted from the answer of a renewal.
        works_as_it_rests: A worker that rests works without a look at its window.
        rests_with_work: A worker rests although it is about to hold something, or does.
        rests_on: A worker that works still counts as one that rests.
    """

    counts_from_answers: bool = False
    works_as_it_rests: bool = False
    rests_with_work: bool = False
    rests_on: bool = False


@dataclass(frozen=True)
class RestingWorker:
    """The model; see the module."""

    mistakes: Mistakes = Mistakes()

    def starts(self) -> Iterator[World]:
        yield World()

    def is_over(self, world: World) -> bool:
        return world.is_lost or world.holds

    def problem(self, world: World) -> str:
        if world.holds and _is_trusted(world) and not world.left:
            return "it acts, and its lease is over"
        return ""

    def steps(self, world: World) -> Iterator[Step[World]]:
        yield Step("a tick", _later(world))
        if world.is_lost:
            return
        yield from self._loop(world)
        yield from self._heartbeat(world)
        yield from self._polls(world)
        if not world.is_resting and not world.window:
            yield Step("the window is over", world._replace(is_lost=True, holds=False))

    # --- the worker's threads

    def _loop(self, world: World) -> Iterator[Step[World]]:
        if world.holds:
            yield Step("it holds nothing any more", world._replace(holds=False, is_idle=True))
        elif not world.work.does:
            yield Step("it is about to work", self._begin(world._replace(is_idle=False)))
        elif world.work.does == SENT:
            yield from _sent(world, "work", world.work)
        elif world.work.does == OVER:
            yield Step("it hears that the lease is over", world._replace(is_lost=True))
        elif world.work.does == FAILED:
            yield Step("it cannot ask", world._replace(work=Message(), is_idle=True))
        else:
            opened = self._opened(world, world.work)
            known = opened._replace(work=Message(), is_resting=self.mistakes.rests_on)
            yield Step("it is renewed, and works", known._replace(holds=_is_trusted(known)))

    def _begin(self, world: World) -> World:
        if not world.is_resting:
            return world._replace(holds=_is_trusted(world))
        if self.mistakes.works_as_it_rests:
            return world._replace(holds=True)
        if world.poll.does == PARKED:
            world = world._replace(window=max(world.window, WINDOW - world.known))
            if world.window > 0:
                return world._replace(is_resting=self.mistakes.rests_on, holds=True)
        return world._replace(work=Message(SENT))

    def _heartbeat(self, world: World) -> Iterator[Step[World]]:
        beat = world._replace(beat=Message())
        if world.beat.does == NOTHING:
            is_idle = world.is_idle or self.mistakes.rests_with_work
            if is_idle and world.poll.does == PARKED:
                opened = max(world.window, WINDOW - world.known)
                yield Step("it rests", world._replace(is_resting=True, window=opened))
            else:
                yield Step("a heartbeat is sent", world._replace(beat=Message(SENT)))
        elif world.beat.does == SENT:
            yield from _sent(world, "beat", world.beat)
        elif world.beat.does == OVER or not _is_trusted(world):
            yield Step("the heartbeat finds it lost", beat._replace(is_lost=True, holds=False))
        elif world.beat.does == FAILED:
            yield Step("the heartbeat is tried again", beat)
        else:
            heard = self._opened(beat, world.beat)._replace(is_resting=False)
            yield Step("the heartbeat is heard", heard)

    def _polls(self, world: World) -> Iterator[Step[World]]:
        poll = world.poll
        if poll.does == NOTHING and world.is_idle:
            yield Step("a poll is sent", world._replace(poll=Message(SENT)))
        elif poll.does == SENT:
            # To the client it is parked from when it was sent.
            yield Step("the client waits", world._replace(poll=Message(PARKED, poll.age)))
        elif poll.does == PARKED:
            yield from self._parked(world, poll)

    def _parked(self, world: World, poll: Message) -> Iterator[Step[World]]:
        lost = world._replace(poll=Message())
        yield Step("a poll is lost", lost, is_outside=True)
        if not world.left:
            yield Step("a poll tells that it is over", world._replace(is_lost=True, holds=False))
            return
        yield Step("a poll renews and is answered", lost._replace(left=LEASE, known=poll.age))
        unheard = world._replace(left=LEASE)
        yield Step("a poll renews, and is parked on", unheard)

    def _opened(self, world: World, message: Message) -> World:
        age = 0 if self.mistakes.counts_from_answers else message.age
        return world._replace(window=max(world.window, WINDOW - age))


def _sent(world: World, name: str, message: Message) -> Iterator[Step[World]]:
    """Yield what becomes of a renewal that is on its way."""

    def back(does: str, left: int) -> World:
        changed = {name: message._replace(does=does), "left": left}
        return world._replace(**changed)  # type: ignore[arg-type]

    if world.left:
        yield Step(f"{name}: the store renews", back(RENEWED, LEASE))
        yield Step(f"{name}: the answer is lost", back(FAILED, LEASE), is_outside=True)
    else:
        yield Step(f"{name}: it is over", back(OVER, 0))
    yield Step(f"{name}: nobody is reached", back(FAILED, world.left), is_outside=True)


def _is_trusted(world: World) -> bool:
    return not world.is_lost and (world.is_resting or world.window > 0)


def _later(world: World) -> World:
    def older(message: Message) -> Message:
        return message._replace(age=min(message.age + 1, LEASE)) if message.does else message

    return world._replace(
        left=max(world.left - 1, 0),
        window=max(world.window - 1, 0),
        known=min(world.known + 1, LEASE),
        beat=older(world.beat),
        work=older(world.work),
        poll=older(world.poll),
    )
