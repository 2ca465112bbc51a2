"""A model of what a pool and its children say to each other; explored by test_pool_child.py.

    pool ──packets──▶ pipe ──▶ child ──▶ ring ──▶ pipe ──▶ pool
      └──────recall──────┘       └─ STARTED     └──peek──────┘

Small and pure: calls are numbers, an answer is the number of its call, two children.
Each system call and each store into the control block is a step of its own, so they meet in every
order; what the pool does under its lock it does without doing anything else, while the
children go on. Decisions are not told again here but asked of the real code: sending.py,
control_block.py and plan.py. What the pool notices is what wakes the real one: readable pipes,
deaths, and timers for children that must be peeked at.

From outside come a kill, a cancel (which may kill), and the end of the pool, each as often
as the model allows. Left out: sizes of pipes, half frames (test_control_block.py), coroutines,
bundles, time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from explore import Step
from lightwork.pool.memory.control_block import can_be_peeked
from lightwork.pool.memory.sending import FLUSH_NS, may_keep, must_be_peeked, must_send_first
from lightwork.pool.process.send_ahead import may_send_ahead

STOP = 0

# What a child is doing. It may sleep only where it says READS.
AWAKE, LOOKS, SENT, TOOK, RUNS, ANSWERED = "awake", "looks", "sent", "took", "runs", "answered"
READS, DEAD, GONE = "reads", "dead", "gone"


class Child(NamedTuple):
    """One child, its pipes and control block, and what the pool's link knows of it."""

    does: str = READS
    # The call that it took.
    call: int = 0
    pipe: tuple[int, ...] = ()
    # PACKETS, less those that it took.
    counted: int = 0
    started: int = 0
    # Answers that are only in the ring, and those in the pipe that the pool has not read.
    kept: tuple[int, ...] = ()
    sent: tuple[int, ...] = ()
    # How many of `sent` and `kept` the pool has seen by peeking.
    seen: int = 0
    # The pool's table: calls that it was given and has not answered.
    calls: tuple[int, ...] = ()
    # It has answered since the pool last handed out.
    is_roomy: bool = False
    is_told: bool = False

    @property
    def lives(self) -> bool:
        return self.does not in {DEAD, GONE}


class State(NamedTuple):
    """All there is."""

    children: tuple[Child, ...]
    waiting: tuple[int, ...]
    # By call: "" while its future is pending, then how it ended.
    ends: tuple[str, ...]
    # By call: how often it has begun.
    begun: tuple[int, ...]
    # What the pool is in the middle of, with its lock held.
    act: tuple[str, int, tuple[int, ...]] | None = None
    # The call that is being cancelled, and whether by a kill.
    cancelled: tuple[int, bool] | None = None
    is_closing: bool = False
    deaths: int = 0
    # What may still come from outside.
    kills: int = 0
    cancels: int = 0
    closes: int = 0


@dataclass(frozen=True)
class PoolAndChildren:
    """The protocol, and by switches what it was before.

    Attributes:
        sizes: Bytes of the answer of each call.
        long: Calls that return only when all before them have ended.
        sleeps_on_a_look: Half of the old bug: a child that saw packets reads in a way that may
            sleep, its answers unsent. (After a recall the pool looked at single calls, too.)
        keeps_a_whole_ring: The other half: it keeps more than the pool can peek at.
        blames_what_it_took: No bug that ever was: the pool does not ask what had begun.
    """

    sizes: tuple[int, ...]
    long: frozenset[int] = frozenset()
    kills: int = 0
    cancels: int = 0
    closes: int = 0
    children: int = 2
    sleeps_on_a_look: bool = False
    keeps_a_whole_ring: bool = False
    blames_what_it_took: bool = False

    def starts(self) -> Iterator[State]:
        numbers = tuple(range(1, len(self.sizes) + 1))
        yield State(
            children=(Child(),) * self.children,
            waiting=numbers,
            ends=("",) * len(numbers),
            begun=(0,) * len(numbers),
            kills=self.kills,
            cancels=self.cancels,
            closes=self.closes,
        )

    def is_over(self, state: State) -> bool:
        if not all(state.ends) or state.act or state.cancelled:
            return False
        return not state.is_closing or all(child.does == GONE for child in state.children)

    def problem(self, state: State) -> str:
        places = list(state.waiting)
        for child in state.children:
            places += child.calls
        if state.act is not None and state.act[0] != "stop":
            places += state.act[2]
        pending = [call for call, end in enumerate(state.ends, 1) if not end]
        if sorted(places) != pending:
            return f"pending are {pending}, and held are {places}"
        for call, (end, begun) in enumerate(zip(state.ends, state.begun, strict=True), 1):
            if begun > 1:
                return f"call {call} has begun twice"
            if end == "lost" and not begun:
                return f"call {call} is blamed and never began"
            if end == "taken back" and begun:
                return f"call {call} was taken back after it had begun"
        if state.ends.count("lost") + state.ends.count("killed") > state.deaths:
            return "a death has cost more than one call"
        return ""

    def steps(self, state: State) -> Iterator[Step[State]]:
        for step in self._steps(state):
            to = step.to
            # Children are alike: two states that differ only in who is who are one. (So a told
            # way may call the same child by another number from one step to the next.)
            if to.act is None:
                to = to._replace(children=tuple(sorted(to.children)))
            yield step._replace(to=to)

    def _steps(self, state: State) -> Iterator[Step[State]]:
        for at, child in enumerate(state.children):
            for name, after in self._child_steps(state, child):
                yield Step(f"child {at} {name}", _with_child(after[0], at, after[1]))
            if child.lives and state.kills:
                dead = state._replace(kills=state.kills - 1, deaths=state.deaths + 1)
                yield Step(
                    f"child {at} is killed",
                    _with_child(dead, at, child._replace(does=DEAD)),
                    is_outside=True,
                )
        if state.act is not None:
            yield from self._finish_act(state)
            return
        if state.cancelled is not None:
            yield from self._cancel(state)
            return
        for at, child in enumerate(state.children):
            yield from self._pool_steps(state, at, child)
        yield from self._requests(state)

    # --- the child

    def _child_steps(self, state: State, child: Child) -> Iterator[tuple[str, tuple[State, Child]]]:
        if child.does == AWAKE:
            if may_keep(child.counted, 0, 0):
                does = READS if self.sleeps_on_a_look else LOOKS
                yield "keeps its answers", (state, child._replace(does=does))
            if not may_keep(child.counted, 0, 0) or child.kept:
                # Else the oldest has waited for so long: time passes as it likes.
                assert not may_keep(child.counted, 0, FLUSH_NS + 1)
                yield "sends", (state, _flushed(child)._replace(does=READS))
        elif child.does == LOOKS and not child.pipe:
            yield "finds nothing and sends", (state, _flushed(child)._replace(does=READS))
        elif child.does in {LOOKS, READS} and child.pipe:
            yield self._take(state, child)
        elif child.does == TOOK:
            begun = _changed(state.begun, child.call, state.begun[child.call - 1] + 1)
            after = child._replace(does=RUNS, started=child.call)
            yield f"begins {child.call}", (state._replace(begun=begun), after)
        elif child.does == RUNS and self._can_end(state, child.call):
            yield f"answers {child.call}", (state, self._answered(child))
        elif child.does == ANSWERED:
            yield "has nothing started", (state, child._replace(does=AWAKE, started=0))

    def _take(self, state: State, child: Child) -> tuple[str, tuple[State, Child]]:
        packet, *rest = child.pipe
        after = child._replace(pipe=tuple(rest), counted=child.counted - 1)
        if packet == STOP:
            return "sends and ends", (state, _flushed(after)._replace(does=DEAD))
        return f"takes {packet}", (state, after._replace(does=TOOK, call=packet))

    def _can_end(self, state: State, call: int) -> bool:
        return call not in self.long or all(state.ends[: call - 1])

    def _answered(self, child: Child) -> Child:
        kept = self._bytes(child.kept)
        size = self.sizes[child.call - 1]
        # Before, it sent only when the ring was full.
        must_send = kept + size > 1 << 16 if self.keeps_a_whole_ring else None
        if must_send_first(size, kept) if must_send is None else must_send:
            child = _flushed(child)
        return child._replace(does=ANSWERED, kept=(*child.kept, child.call), call=0)

    def _bytes(self, answers: tuple[int, ...]) -> int:
        return sum(self.sizes[call - 1] for call in answers)

    # --- the pool

    def _pool_steps(self, state: State, at: int, child: Child) -> Iterator[Step[State]]:
        if child.does == DEAD:
            yield Step(f"pool buries child {at}", self._buried(state, at))
            return
        if child.does == GONE:
            if state.waiting:
                yield Step(f"pool starts child {at}", _with_child(state, at, Child()))
            return
        if child.sent:
            new = child.sent[child.seen :]
            after = child._replace(sent=(), seen=max(0, child.seen - len(child.sent)))
            yield Step(f"pool reads {new}", _answer(state, at, after, new))
        if must_be_peeked(len(child.calls), 0) or (child.calls and self.sleeps_on_a_look):
            new = (*child.sent, *child.kept)[child.seen :]
            if new and can_be_peeked(self._bytes(new), 0, 0):
                after = child._replace(seen=child.seen + len(new))
                yield Step(f"pool peeks at {new}", _answer(state, at, after, new))
            # Its call is long, or another child is idle.
            is_idle = any(other.lives and not other.calls for other in state.children)
            if len(child.calls) > 1 and (child.started or is_idle):
                yield self._recall(state, at, child)
        if state.waiting and not child.is_told:
            yield from self._give(state, at, child)
        if state.is_closing and not (state.waiting or child.calls or child.is_told):
            after = child._replace(counted=child.counted + 1, is_told=True)
            stopping = _with_child(state, at, after)._replace(act=("stop", at, (STOP,)))
            yield Step(f"pool counts a stop for child {at}", stopping)

    def _give(self, state: State, at: int, child: Child) -> Iterator[Step[State]]:
        is_ahead = child.is_roomy and may_send_ahead(len(child.calls), 0, 0, seconds=0, size=0)
        if child.calls and not is_ahead:
            return
        for many in {1, len(state.waiting)}:
            given = state.waiting[:many]
            after = child._replace(counted=child.counted + many, is_roomy=False)
            giving = state._replace(waiting=state.waiting[many:], act=("give", at, given))
            yield Step(f"pool counts {given} for child {at}", _with_child(giving, at, after))

    def _recall(self, state: State, at: int, child: Child) -> Step[State]:
        if child.is_told:
            return Step("pool takes nothing back", state)
        taken = child.pipe
        calls = tuple(call for call in child.calls if call not in taken)
        after = _with_child(state, at, child._replace(pipe=(), calls=calls))
        return Step(
            f"pool takes back {taken} from child {at}", after._replace(act=("back", at, taken))
        )

    def _finish_act(self, state: State) -> Iterator[Step[State]]:
        assert state.act is not None
        kind, at, packets = state.act
        child, state = state.children[at], state._replace(act=None)
        if kind == "back":
            after = child._replace(counted=child.counted - len(packets), is_roomy=True)
            back = state._replace(waiting=(*packets, *state.waiting))
            yield Step(f"pool counts {packets} no more", _with_child(back, at, after))
        else:
            calls = () if kind == "stop" else packets
            after = child._replace(pipe=child.pipe + packets, calls=child.calls + calls)
            yield Step(f"pool writes {packets} to child {at}", _with_child(state, at, after))

    def _buried(self, state: State, at: int) -> State:
        child = state.children[at]
        last_words = (*child.sent, *child.kept)[child.seen :]
        state = _answer(state, at, child, last_words)
        calls, ends, waiting = state.children[at].calls, state.ends, state.waiting
        for call in reversed(calls):
            # As death.py: the one that has begun; all others run elsewhere.
            if call == (child.call if self.blames_what_it_took else child.started):
                ends = _changed(ends, call, "lost")
            else:
                waiting = (call, *waiting)
        return _with_child(state, at, Child(does=GONE))._replace(ends=ends, waiting=waiting)

    # --- what is asked from outside

    def _requests(self, state: State) -> Iterator[Step[State]]:
        if state.closes:
            closing = state._replace(closes=0, is_closing=True)
            yield Step("the pool is closed", closing, is_outside=True)
        if state.cancels:
            for call, end in enumerate(state.ends, 1):
                if end:
                    continue
                asked = state._replace(cancels=state.cancels - 1)
                for by_kill in (False, True):
                    yield Step(
                        f"call {call} is cancelled{', or killed' if by_kill else ''}",
                        self._begin_cancel(asked._replace(cancelled=(call, by_kill))),
                        is_outside=True,
                    )

    def _begin_cancel(self, state: State) -> State:
        assert state.cancelled is not None
        for at, child in enumerate(state.children):
            if state.cancelled[0] in child.calls:
                return self._recall(state, at, child).to
        return state

    def _cancel(self, state: State) -> Iterator[Step[State]]:
        assert state.cancelled is not None
        call, by_kill = state.cancelled
        over = state._replace(cancelled=None)
        if call in state.waiting:
            waiting = tuple(other for other in state.waiting if other != call)
            ends = _changed(state.ends, call, "taken back")
            yield Step("it was not begun", over._replace(waiting=waiting, ends=ends))
            return
        at, child = next(
            (at, child) for at, child in enumerate(state.children) if call in child.calls
        )
        if not by_kill or child.started not in {0, call} or not child.lives:
            yield Step("it is too late for that", over)
        elif child.started == call:
            calls = tuple(other for other in child.calls if other != call)
            ends = _changed(over.ends, call, "killed")
            killed = over._replace(ends=ends, deaths=over.deaths + 1)
            after = _with_child(killed, at, child._replace(calls=calls, does=DEAD))
            yield Step("its child is killed", after)
        else:
            # Between two calls: the pool looks again, and gives the lock away meanwhile.
            yield Step("it is between two calls", over)


def _flushed(child: Child) -> Child:
    return child._replace(sent=child.sent + child.kept, kept=())


def _with_child(state: State, at: int, child: Child) -> State:
    children = (*state.children[:at], child, *state.children[at + 1 :])
    return state._replace(children=children)


def _changed(values: tuple, call: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[: call - 1], value, *values[call:])


def _answer(state: State, at: int, child: Child, answers: tuple[int, ...]) -> State:
    ends = state.ends
    for call in answers:
        # Of one that was killed meanwhile nobody waits for the answer.
        if call in child.calls:
            ends = _changed(ends, call, "value")
    calls = tuple(call for call in child.calls if call not in answers)
    after = child._replace(calls=calls, is_roomy=child.is_roomy or bool(answers))
    return _with_child(state._replace(ends=ends), at, after)
