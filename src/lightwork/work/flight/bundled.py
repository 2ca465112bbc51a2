"""Bundled: attempts of short jobs that go to a child together, and are many all the same.

A call costs the pool 50 us; a bundle (pool/map/bundle.py) costs that once. Its items are run one by
one, and each stays an attempt of its own: what it gave, whether it has begun, and that it alone is
blamed if its child dies, says the board that the child keeps. What turns out to be behind a long
one becomes another call, which can be handed back.

What is withdrawn or killed is the call: whoever waits in it goes back with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from lightwork.codec.references import REFERRING
from lightwork.model import Attempt
from lightwork.pool.call.future import CancelMode, Future
from lightwork.pool.call.options import Split
from lightwork.pool.link.process_call import items_begun
from lightwork.pool.map.batcher import open_outcome
from lightwork.pool.map.bundle import ITEM_BYTES_MAX, Parcel, parcel_of
from lightwork.work.flight.ending import Stopped
from lightwork.work.runner import HEAD, Outcome, Runner

_LARGEST: Final = ITEM_BYTES_MAX - HEAD.size


@dataclass(slots=True)
class Held:
    """An attempt that the pool has."""

    attempt: Attempt
    call: "Call"
    claimed_at: float
    # Where it stands in its bundle.
    place: int = 0
    stopped: Stopped = Stopped.NO
    # It was asked to stop.
    is_unwanted: bool = False
    # The worker was told that it has begun.
    is_told: bool = False


class Call:
    """A call of the pool: one attempt, or those of a bundle from `first` to `end`."""

    __slots__ = ("all_held", "end", "first", "future", "is_bundle")

    # Set as soon as it is started.
    all_held: list[Held]
    future: Future[Any]

    def __init__(self, end: int, *, first: int = 0, is_bundle: bool = False) -> None:
        self.first = first
        self.end = end
        self.is_bundle = is_bundle

    def held(self) -> Sequence[Held]:
        """Return the attempts that it runs."""
        return self.all_held[self.first : self.end]

    def begun(self) -> int:
        """Return how many of its attempts are known to have begun."""
        if self.is_bundle:
            return items_begun(self.future)
        return int(self.future.has_begun())

    def split(self, split: Split) -> "Call":
        """Let go of those from `split.at` on, which are another call now; return that."""
        rest = Call(self.end, first=split.at, is_bundle=True)
        rest.all_held, rest.future = self.all_held, split.future
        self.end = split.at
        for held in rest.held():
            held.call = rest
        return rest

    def stop(self, held: Held, why: Stopped, running: CancelMode) -> bool:
        """End an attempt, and with it what waits in the same call; False: not now."""
        if self.future.done():
            # Its end is decided; what was handed back must not become interrupted.
            return False
        if self.is_bundle:
            begun = self.begun()
            # Only the last can be meant when a running call is asked or killed.
            is_last = held.place == self.end - 1 == self.first + begun - 1
            if begun and why is Stopped.CANCELLED and not is_last:
                return False
        before = [(one, one.stopped) for one in self.held()]
        for one, _ in before:
            one.stopped = Stopped.HANDED_BACK if why is Stopped.CANCELLED else why
        held.stopped = why
        if self.future.cancel(running=running):
            return True
        for one, stopped in before:
            one.stopped = stopped
        return False

    def outcomes(self) -> Iterator[tuple[Held, Outcome | bytes, BaseException | None]]:
        """Yield what the runner returned for each attempt, or why it has returned nothing.

        Bytes, in a bundle: the attempt returned; see runner.opened.
        """
        if not self.is_bundle:
            yield self.all_held[0], self.future.result(), None
            return
        values, failures = open_outcome(self.future.result())
        for place, (held, value) in enumerate(zip(self.held(), values, strict=True)):
            yield held, value, failures.get(place)


def unchanging(run: partial[Any]) -> partial[Any]:
    """Mark a function that the pool is to pickle once; see pool/wire/function.py."""
    run.is_unchanging = True  # type: ignore[attr-defined]
    return run


def can_be_bundled(attempt: Attempt, runner: Runner) -> bool:
    """Whether nothing that its policy promises is about a call by itself."""
    policy = attempt.policy
    return (
        type(runner) is Runner
        and not runner.middleware
        and policy.idempotent
        and not policy.timeout
        and not policy.max_memory
        and is_light(attempt)
    )


def is_light(attempt: Attempt) -> bool:
    """Whether nothing about its payload wants a call by itself."""
    payload = attempt.payload
    # What it gets from other jobs travels beside its payload.
    return len(payload) <= _LARGEST and not payload.startswith(REFERRING)


def pack_attempts(attempts: Sequence[Attempt]) -> Parcel:
    """Return the attempts as runner.run_attempts takes them."""
    pack: Callable[..., bytes] = HEAD.pack
    return parcel_of(
        [pack(one.seq, one.number, one.job_id.bytes) + one.payload for one in attempts]
    )
