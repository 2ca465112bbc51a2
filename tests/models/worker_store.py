"""The protocol between workers and a store, as a model that can be explored.

Two workers of one slot each, and two jobs. What a worker says to the store (claim, ack,
note what has begun, hand back, rescue) is one step each, guarded as the statements are;
its answer may be lost on the way back. A worker may die at any moment, or be cut off
until it trusts its lease no more; an ack that it has sent by then may arrive at any time.

    store   ready ──claim──▶ running ──ack──▶ succeeded | failed | cancelled
              ▲                 │
              └──── release, ───┘ rescue once the worker's incarnation is gone
    worker  waiting ──▶ begun ──▶ done ──▶ forgotten

Time is left out: whoever is gone may be rescued from then on. That a lease outlives the
trust of its worker is what the model takes for granted, and what lease.py is for.

Real parts decide: `lifecycle.step` what follows, `retry.after_loss` who is blamed,
`pace.free_slots` what begins. A `Bugs` puts known mistakes back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from explore import Step
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Claimed,
    Event,
    Lost,
    Quarantined,
    Released,
    Succeeded,
    step,
)
from lightwork.model import ErrorInfo, Policy, State
from lightwork.retry import SUSPECT_LOSSES, after_loss
from lightwork.work.pace import free_slots

ERROR: Final = ErrorInfo(type="WorkerLost", text="")
NOBODY: Final = -1
# An incarnation of which nothing is left but what it held.
GONE: Final = -2


@dataclass(frozen=True, slots=True)
class Kind:
    """What a job is like; a poison one takes its worker down before that can say so."""

    name: str
    policy: Policy
    is_poison: bool = False


PLAIN: Final = Kind("plain", Policy(max_crashes=2))
ONCE: Final = Kind("once", Policy(max_crashes=2, idempotent=False))
POISON: Final = Kind("poison", Policy(max_crashes=2), is_poison=True)


@dataclass(frozen=True, slots=True)
class Bugs:
    """Mistakes that the model can make.

    Attributes:
        blames_claimed: A rescue takes every claimed attempt for one that has begun.
        knows_no_suspects: Losses are never held against a job.
        claims_once_ahead: What may not run twice is claimed ahead, and not begun by that.
        guards_no_number: An ack is only guarded by the state and the worker.
        forgets_answers: A worker never asks what it holds after an answer was lost.
    """

    blames_claimed: bool = False
    knows_no_suspects: bool = False
    claims_once_ahead: bool = False
    guards_no_number: bool = False
    forgets_answers: bool = False


class Row(NamedTuple):
    """A job in the store; the last three are what really happened, which no side can see."""

    state: State = State.READY
    attempt: int = 0
    crashes: int = 0
    losses: int = 0
    worker: int = NOBODY
    begun: bool = False
    is_unwanted: bool = False
    runs: int = 0
    has_run: bool = False
    wrong: str = ""


class Held(NamedTuple):
    """An attempt at a worker; `phase`: waiting, begun or done."""

    job: int
    attempt: int
    phase: str = "waiting"


class Worker(NamedTuple):
    """A worker; `is_unsure`: an answer was lost, and it may hold what it does not know."""

    is_up: bool = True
    held: tuple[Held, ...] = ()
    is_unsure: bool = False


class World(NamedTuple):
    """Everything; the numbers are what may yet happen from outside."""

    rows: tuple[Row, ...]
    workers: tuple[Worker, ...]
    # Acks of incarnations that are gone, still under way.
    late: tuple[tuple[int, int], ...] = ()
    deaths: int = 0
    lost_answers: int = 0
    hand_backs: int = 0
    cancels: int = 0


@dataclass(frozen=True)
class WorkerAndStore:
    """The model; see the module."""

    kinds: tuple[Kind, ...]
    bugs: Bugs = Bugs()
    deaths: int = 1
    lost_answers: int = 1
    hand_backs: int = 1
    cancels: int = 0
    workers: int = 2

    def starts(self) -> Iterable[World]:
        """Return the one start: all jobs are ready."""
        rows = tuple(Row() for _ in self.kinds)
        budget = (self.deaths, self.lost_answers, self.hand_backs, self.cancels)
        return [World(rows, (Worker(),) * self.workers, (), *budget)]

    def is_over(self, world: World) -> bool:
        """Whether each job has its outcome."""
        return all(row.state.is_final for row in world.rows)

    def problem(self, world: World) -> str:
        """Say what is wrong."""
        for job, (row, kind) in enumerate(zip(world.rows, self.kinds, strict=True)):
            if row.wrong:
                return f"{kind.name}: {row.wrong}"
            if not kind.policy.idempotent and row.runs > 1:
                return f"{kind.name}: it has run twice"
            running = [
                held
                for worker in world.workers
                for held in worker.held
                if held.job == job and held.phase == "begun"
            ]
            if len(running) > 1:
                return f"{kind.name}: two workers run it at a time"
        return ""

    def steps(self, world: World) -> Iterator[Step[World]]:
        """Return all that may happen next."""
        for one in self._steps(world):
            yield one._replace(to=_normal(one.to))

    def _steps(self, world: World) -> Iterator[Step[World]]:
        for number, worker in enumerate(world.workers):
            if not worker.is_up:
                yield Step(f"{number} starts", _with_worker(world, number, Worker()))
                continue
            yield from self._calls(world, number, worker)
            yield from self._requests(world, number, worker)
            yield from self._ends(world, number, worker)
        for position, (job, attempt) in enumerate(world.late):
            left = world._replace(late=world.late[:position] + world.late[position + 1 :])
            yield Step("a late ack arrives", self._ack(left, GONE, job, attempt, Succeeded(b"")))
        for job, row in enumerate(world.rows):
            if world.cancels and not row.state.is_final:
                fewer = world._replace(cancels=world.cancels - 1)
                yield Step(f"cancel {job}", self._cancel(fewer, job), is_outside=True)

    # --- inside of a worker

    def _calls(self, world: World, number: int, worker: Worker) -> Iterator[Step[World]]:
        held = worker.held
        if not any(one.phase == "begun" for one in held):
            waiting = [place for place, one in enumerate(held) if one.phase == "waiting"]
            for place in waiting[:1]:
                yield Step(f"{number} begins {held[place].job}", self._begin(world, number, place))
        for place, one in enumerate(held):
            if one.phase == "begun" and self.kinds[one.job].is_poison:
                yield Step(f"{one.job} takes {number} down", self._gone(world, number))
            elif one.phase == "begun":
                yield Step(f"{number} ends {one.job}", _with_phase(world, number, place, "done"))

    def _begin(self, world: World, number: int, place: int) -> World:
        world = _with_phase(world, number, place, "begun")
        job = world.workers[number].held[place].job
        row = world.rows[job]
        # Of what may run twice nobody counts how often it does.
        runs = row.runs + (not self.kinds[job].policy.idempotent)
        return _with_row(world, job, row._replace(runs=runs, has_run=True))

    # --- between worker and store

    def _requests(self, world: World, number: int, worker: Worker) -> Iterator[Step[World]]:
        yield from self._claims(world, number, worker)
        for place, one in enumerate(worker.held):
            row = world.rows[one.job]
            is_told = row.begun or self.kinds[one.job].is_poison
            if one.phase == "begun" and not is_told and self._is_held(row, number, one.attempt):
                yield Step(
                    f"{number} notes that {one.job} has begun",
                    _with_row(world, one.job, row._replace(begun=True)),
                )
            if one.phase == "done":
                yield from self._told(world, number, place, Succeeded(b""))
            if one.phase == "waiting" and world.hand_backs:
                fewer = world._replace(hand_backs=world.hand_backs - 1)
                yield from self._told(fewer, number, place, Released())
            if one.phase != "done" and row.is_unwanted:
                yield from self._told(world, number, place, Cancelled())
        if worker.is_unsure and not self.bugs.forgets_answers:
            yield Step(f"{number} asks what it holds", self._reconcile(world, number))
        if any(row.worker == GONE for row in world.rows):
            yield Step(f"{number} rescues", self._rescue(world))

    def _claims(self, world: World, number: int, worker: Worker) -> Iterator[Step[World]]:
        # One slot, and one job ahead.
        limit = 2 - len(worker.held)
        free = free_slots(1, len(worker.held), limit)
        taken = self._next(world, free, limit - free)
        if not taken:
            return
        after = world
        for job in taken:
            after = _with_row(after, job, self._claimed(world.rows[job], job, number))
        held = tuple(Held(job, after.rows[job].attempt) for job in taken)
        yield Step(
            f"{number} claims {taken}",
            _with_worker(after, number, worker._replace(held=worker.held + held)),
        )
        if world.lost_answers:
            yield Step(
                f"{number} claims {taken}, and the answer is lost",
                _with_worker(
                    after._replace(lost_answers=world.lost_answers - 1),
                    number,
                    worker._replace(is_unsure=True),
                ),
            )

    def _next(self, world: World, free: int, ahead: int) -> list[int]:
        ready = [job for job, row in enumerate(world.rows) if row.state is State.READY]
        taken = ready[:free]
        for job in ready[free : free + ahead]:
            if self._is_suspect(world.rows[job], job):
                break
            taken.append(job)
        return taken

    def _claimed(self, row: Row, job: int, number: int) -> Row:
        return row._replace(
            state=step(row.state, Claimed),
            attempt=row.attempt + 1,
            worker=number,
            begun=self._is_suspect(row, job),
            is_unwanted=False,
            has_run=False,
        )

    def _is_suspect(self, row: Row, job: int) -> bool:
        may_run_twice = self.kinds[job].policy.idempotent or self.bugs.claims_once_ahead
        is_suspected = row.losses >= SUSPECT_LOSSES and not self.bugs.knows_no_suspects
        return not may_run_twice or is_suspected

    def _told(
        self, world: World, number: int, place: int, end: AttemptEnd
    ) -> Iterator[Step[World]]:
        """Tell the store how an attempt ended; forget it when the answer comes."""
        held = world.workers[number].held
        job, attempt, _ = held[place]
        name = f"{number} tells that {job} is {type(end).__name__}"
        after = self._ack(world, number, job, attempt, end)
        rest = world.workers[number]._replace(held=held[:place] + held[place + 1 :])
        yield Step(name, _with_worker(after, number, rest))
        if world.lost_answers and after.rows != world.rows:
            # Its child is gone in either case; what was said is said again.
            again = _with_phase(after, number, place, "done")
            fewer = again._replace(lost_answers=world.lost_answers - 1)
            yield Step(f"{name}, and the answer is lost", fewer)

    def _ack(self, world: World, number: int, job: int, attempt: int, end: AttemptEnd) -> World:
        row = world.rows[job]
        if not self._is_held(row, number, attempt):
            return world
        ended = _ended(row, end)
        if attempt != row.attempt:
            ended = ended._replace(wrong="an earlier attempt has ended a later one")
        return _with_row(world, job, ended)

    def _is_held(self, row: Row, number: int, attempt: int) -> bool:
        if self.bugs.guards_no_number:
            return row.state is State.RUNNING
        return (row.state, row.worker, row.attempt) == (State.RUNNING, number, attempt)

    def _reconcile(self, world: World, number: int) -> World:
        worker = world.workers[number]
        known = {(held.job, held.attempt) for held in worker.held}
        for job, row in enumerate(world.rows):
            if row.worker == number and (job, row.attempt) not in known:
                world = _with_row(world, job, _ended(row, Released()))
        return _with_worker(world, number, worker._replace(is_unsure=False))

    def _rescue(self, world: World) -> World:
        for job, row in enumerate(world.rows):
            if row.worker != GONE:
                continue
            policy = self.kinds[job].policy
            started = row.begun or not policy.idempotent or self.bugs.blames_claimed
            end = after_loss(policy, row.crashes, ERROR, started=started)
            ended = _ended(row, end)
            if isinstance(end, Lost | Quarantined) and not (row.has_run or row.begun):
                ended = ended._replace(wrong="it is blamed, and had not begun")
            world = _with_row(world, job, ended)
        return world

    def _cancel(self, world: World, job: int) -> World:
        row = world.rows[job]
        if row.state is State.RUNNING:
            return _with_row(world, job, row._replace(is_unwanted=True))
        return _with_row(world, job, row._replace(state=step(row.state, Cancelled)))

    # --- the end of a worker

    def _ends(self, world: World, number: int, worker: Worker) -> Iterator[Step[World]]:
        if not world.deaths:
            return
        fewer = world._replace(deaths=world.deaths - 1)
        yield Step(f"{number} is killed", self._gone(fewer, number), is_outside=True)
        # Its children are stopped; what it has said already may still arrive.
        said = tuple((one.job, one.attempt) for one in worker.held if one.phase == "done")
        if said:
            cut = self._gone(fewer, number)
            cut = cut._replace(late=cut.late + said)
            yield Step(f"{number} is cut off while it speaks", cut, is_outside=True)

    def _gone(self, world: World, number: int) -> World:
        rows = tuple(
            row._replace(worker=GONE) if row.worker == number else row for row in world.rows
        )
        return _with_worker(world._replace(rows=rows), number, Worker(is_up=False))


def _ended(row: Row, end: AttemptEnd) -> Row:
    wrong = "" if not row.state.is_final else "its outcome was changed"
    after = step(State.RUNNING, type(end))
    if row.is_unwanted and not after.is_final:
        after = step(after, Cancelled)
    return row._replace(
        state=after,
        worker=NOBODY,
        begun=False,
        is_unwanted=False,
        has_run=False,
        crashes=row.crashes + _counts(end, Lost, Quarantined),
        losses=min(row.losses + (type(end).__name__ == "Forfeited"), SUSPECT_LOSSES),
        wrong=row.wrong or wrong,
    )


def _counts(end: Event, *kinds: type[Event]) -> int:
    return int(type(end) in kinds)


def _normal(world: World) -> World:
    """Return the same world with the smallest numbers of attempts, its workers in order."""
    for job, row in enumerate(world.rows):
        held = {one.attempt for worker in world.workers for one in worker.held if one.job == job}
        late = {attempt for other, attempt in world.late if other == job}
        # Only which is which matters, and that a new one is greater than all.
        rank = {number: place for place, number in enumerate(sorted({row.attempt, *held, *late}))}
        if all(number == place for number, place in rank.items()):
            continue
        workers = tuple(
            worker._replace(
                held=tuple(
                    one._replace(attempt=rank[one.attempt]) if one.job == job else one
                    for one in worker.held
                )
            )
            for worker in world.workers
        )
        told = tuple((j, rank[n]) if j == job else (j, n) for j, n in world.late)
        world = _with_row(world, job, row._replace(attempt=rank[row.attempt]))
        world = world._replace(workers=workers, late=told)
    return _in_order(world._replace(late=tuple(sorted(world.late))))


def _in_order(world: World) -> World:
    order = sorted(range(len(world.workers)), key=lambda number: world.workers[number])
    place = {number: position for position, number in enumerate(order)}
    rows = tuple(row._replace(worker=place.get(row.worker, row.worker)) for row in world.rows)
    return world._replace(rows=rows, workers=tuple(world.workers[number] for number in order))


def _with_row(world: World, job: int, row: Row) -> World:
    return world._replace(rows=(*world.rows[:job], row, *world.rows[job + 1 :]))


def _with_worker(world: World, number: int, worker: Worker) -> World:
    workers = (*world.workers[:number], worker, *world.workers[number + 1 :])
    return world._replace(workers=workers)


def _with_phase(world: World, number: int, place: int, phase: str) -> World:
    worker = world.workers[number]
    changed = worker.held[place]._replace(phase=phase)
    held = (*worker.held[:place], changed, *worker.held[place + 1 :])
    return _with_worker(world, number, worker._replace(held=held))
