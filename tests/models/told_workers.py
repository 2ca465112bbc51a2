"""A model of who is told of a job by a server: claim_watch.py and the workers that poll it.

    submit ──▶ store ──number──▶ thread: sees, looks ──▶ loop: tells one ──▶ worker claims, polls again
      └──────── note_submitted ───────────────────────▶ loop: tells one     └ with an older number: looks itself

One queue. What the loop does between two awaits is one step; what the thread, a look, a submit and a worker do meanwhile
are steps of their own, so a number may be old by the time that somebody parks with it. A look may find a job that is
claimed before anybody is told, and a worker may be deaf: it was told and does nothing.

Left out, for a hang that only they end is one: the end of a poll's time, and a worker's own look each so many seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from explore import Step

PARKED, TOLD, ASKS, LOOKS, HAS_LOOKED, ENDED = "parked", "told", "asks", "looks", "looked", "ended"
# The worker that somebody drains.
LEAVING: Final = 0


class Worker(NamedTuple):
    """A worker: the number that it has seen, and of its own look what was known then and what it found."""

    does: str = PARKED
    seen: int = 0
    known: int = 0
    finds: bool = False


class Thread(NamedTuple):
    """The thread that hears of changes."""

    does: str = "waits"
    number: int = 0
    # Whether anybody was parked for whom it has looked.
    covers: bool = False
    finds: bool = False
    finds_ending: bool = False


class World(NamedTuple):
    """Everything; the last three are what may yet happen from outside."""

    workers: tuple[Worker, ...]
    ready: int = 0
    number: int = 0
    known: int = 0
    is_draining: bool = False
    knows_ending: bool = False
    thread: Thread = Thread()
    # Submits that the loop has not heard of.
    hints: int = 0
    # One was told of a submit, or by the thread, so short a time ago that the other may be about the same.
    is_told_ahead: bool = False
    is_seen_ahead: bool = False
    # Others are about to be told, after a look; and what looks have found that the loop has not heard of.
    are_others_next: bool = False
    found: tuple[bool, ...] = ()
    # How often somebody was told; counted where it matters.
    told: int = 0
    submits: int = 0
    deaf: int = 0
    drains: int = 0


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Mistakes that the model can make.

    Attributes:
        parks_unseen: Who comes with an older number is parked without a look.
        drops_what_was_hinted: What the thread sees after a submit was told is told to nobody else.
        misses_changes: What was seen during a look of one's own is forgotten.
        forgets_who_is_to_end: Who is to end is parked among those who are told one after another.
        hints_nothing_known: What was told ahead is told again when the thread has looked.
        hints_what_was_told: A submit is told though the thread was quicker to tell of it.
        looks_for_those_before_alone: Who is parked after the thread's look hears nothing of it.
        looks_before_it_is_over: What comes ready while the others' look is under way has none of its own.
    """

    parks_unseen: bool = False
    drops_what_was_hinted: bool = False
    misses_changes: bool = False
    forgets_who_is_to_end: bool = False
    hints_nothing_known: bool = False
    hints_what_was_told: bool = False
    looks_before_it_is_over: bool = False
    looks_for_those_before_alone: bool = False


@dataclass(frozen=True)
class ToldWorkers:
    """The model; `is_quick`: all of it takes place before the moment is over, and nobody is told in vain."""

    count: int = 2
    submits: int = 1
    deaf: int = 0
    drains: int = 0
    is_quick: bool = False
    mistakes: Mistakes = Mistakes()

    def starts(self) -> Iterator[World]:
        workers = (Worker(),) * self.count
        yield World(workers, submits=self.submits, deaf=self.deaf, drains=self.drains)

    def is_over(self, world: World) -> bool:
        has_heard = not world.is_draining or world.workers[LEAVING].does == ENDED
        return has_heard and not world.ready

    def problem(self, world: World) -> str:
        # Each submit is one more number here.
        is_vain = self.is_quick and world.told > world.number
        return "one more is told than there were jobs" if is_vain else ""

    def steps(self, world: World) -> Iterator[Step[World]]:
        yield from self._outside(world)
        yield from self._thread(world)
        yield from self._loop(world)
        for place, worker in enumerate(world.workers):
            yield from self._worker(world, place, worker)

    def _outside(self, world: World) -> Iterator[Step[World]]:
        submitted = world._replace(
            ready=world.ready + 1, number=world.number + 1, submits=world.submits - 1
        )
        if world.submits:
            here = submitted._replace(hints=world.hints + 1)
            yield Step("a submit through this server", here, is_outside=True)
            if not self.is_quick:
                yield Step("a submit by somebody else", submitted, is_outside=True)
        if world.drains:
            drained = world._replace(is_draining=True, number=world.number + 1, drains=0)
            yield Step("a worker is to end", drained, is_outside=True)

    # --- the server

    def _thread(self, world: World) -> Iterator[Step[World]]:
        thread, is_anybody_parked = world.thread, bool(_parked(world))
        if thread.does == "waits" and is_anybody_parked and thread.number != world.number:
            sees = thread._replace(does="sees", number=world.number)
            yield Step("the thread sees a number", world._replace(thread=sees))
        elif thread.does == "sees":
            looked = Thread(
                *("looked", thread.number, is_anybody_parked),
                finds=bool(world.ready) and is_anybody_parked,
                finds_ending=world.is_draining,
            )
            yield Step("the thread looks", world._replace(thread=looked))
        elif thread.does == "looked":
            yield Step("the loop notes the news", self._note_news(world, thread))

    def _note_news(self, world: World, thread: Thread) -> World:
        world = world._replace(
            known=thread.number,
            knows_ending=thread.finds_ending,
            thread=Thread(number=thread.number),
        )
        leaving = world.workers[LEAVING]
        if thread.finds_ending and leaving.does == PARKED and leaving.seen != world.known:
            world = _with(world, LEAVING, Worker(ENDED))
        if not thread.covers and not self.mistakes.looks_for_those_before_alone:
            for place in _parked(world):
                world = _with(world, place, _looking(world))
        if not thread.finds:
            return world
        if not world.is_told_ahead or self.mistakes.hints_nothing_known:
            return self._tell(world, 1)._replace(is_seen_ahead=True)
        return world if self.mistakes.drops_what_was_hinted else self._tell(world, 0)

    def _tell(self, world: World, most: int) -> World:
        for place in _parked(world):
            if world.workers[place].seen == world.known:
                continue
            if not most:
                is_under_way = self.mistakes.looks_before_it_is_over and bool(world.found)
                return world._replace(are_others_next=not is_under_way)
            world = self._told(world, place, world.known)
            most -= 1
        return world

    def _told(self, world: World, place: int, seen: int) -> World:
        told = world._replace(told=world.told + self.is_quick)
        return _with(told, place, Worker(TOLD, seen))

    def _loop(self, world: World) -> Iterator[Step[World]]:
        if world.hints:
            heard = world._replace(hints=world.hints - 1)
            # Who has waited longest may be any of them.
            were_told = world.is_seen_ahead and not self.mistakes.hints_what_was_told
            ways = [] if were_told else _parked(world)
            for place in ways:
                told = self._told(heard, place, world.workers[place].seen)
                yield Step(f"{place} is told of the submit", told._replace(is_told_ahead=True))
            if not ways:
                yield Step("nobody is to be told of the submit", heard)
        if self.is_quick:
            return
        if world.is_told_ahead or world.is_seen_ahead:
            over = world._replace(is_told_ahead=False, is_seen_ahead=False)
            yield Step("the moment is over", over)
        if world.are_others_next:
            found = (*world.found, bool(world.ready))
            looked = world._replace(are_others_next=False, found=found)
            yield Step("a look for the others", looked)
        if world.found:
            over = world._replace(found=world.found[1:])
            yield Step("others are told", self._tell(over, 2) if world.found[0] else over)

    # --- one worker, and its poll

    def _worker(self, world: World, place: int, worker: Worker) -> Iterator[Step[World]]:
        if worker.does == TOLD:
            again = _with(world, place, Worker(ASKS, worker.seen))
            # It goes on until nothing is left.
            yield Step(f"{place} claims, and polls again", again._replace(ready=0))
            if world.deaf:
                deaf = again._replace(deaf=world.deaf - 1)
                yield Step(f"{place} is deaf, and polls again", deaf, is_outside=True)
        elif worker.does == ASKS:
            yield Step(f"the poll of {place} comes", self._arrive(world, place, worker))
        elif worker.does == LOOKS:
            finds = bool(world.ready) or self._is_leaving(world, place)
            yield Step(
                f"a look for {place}",
                _with(world, place, worker._replace(does=HAS_LOOKED, finds=finds)),
            )
        elif worker.does == HAS_LOOKED:
            yield Step(f"{place} hears of its look", self._after_look(world, place, worker))

    def _arrive(self, world: World, place: int, worker: Worker) -> World:
        is_among_others = world.are_others_next and (
            self.mistakes.forgets_who_is_to_end or not (place == LEAVING and world.knows_ending)
        )
        if (
            worker.seen in (world.known, world.number)
            or is_among_others
            or self.mistakes.parks_unseen
        ):
            return _with(world, place, worker._replace(does=PARKED))
        return _with(world, place, _looking(world))

    def _after_look(self, world: World, place: int, worker: Worker) -> World:
        if worker.finds:
            does = ENDED if self._is_leaving(world, place) else TOLD
            return _with(world, place, Worker(does, worker.seen))
        if worker.known != world.known and not self.mistakes.misses_changes:
            return _with(world, place, _looking(world))
        return _with(world, place, Worker(PARKED, worker.seen))

    def _is_leaving(self, world: World, place: int) -> bool:
        return place == LEAVING and world.is_draining


def _looking(world: World) -> Worker:
    return Worker(LOOKS, max(world.number, world.known), world.known)


def _parked(world: World) -> list[int]:
    return [place for place, worker in enumerate(world.workers) if worker.does == PARKED]


def _with(world: World, place: int, worker: Worker) -> World:
    workers = (*world.workers[:place], worker, *world.workers[place + 1 :])
    return world._replace(workers=workers)
