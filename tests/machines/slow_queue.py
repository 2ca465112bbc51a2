"""A queue as one would write it on a blackboard: lists of items, no numbers; what the machine is held against."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lightwork.machines.queue import EMPTY, FULL, NOT_GIVEN, SHUT_DOWN, TOO_MANY_DONE
from lightwork.machines.shapes import Ask, Caller, Event, Lost, Withdraw

REFUSED = "refused: "


class Frozen(NamedTuple):
    """All that there is, as a state of the walk.

    Attributes:
        last: Items are 1, 2, ... in the order of asking to put them.
        ready: In the queue.
        given: (item, number that the machine gave it, whom it was given to).
        putting: (caller, items that found no room, how many did).
        getting: (caller, at most so many).
    """

    last: int = 0
    ready: tuple[int, ...] = ()
    given: tuple[tuple[int, int, Caller], ...] = ()
    putting: tuple[tuple[Caller, tuple[int, ...], int], ...] = ()
    getting: tuple[tuple[Caller, int], ...] = ()
    joining: tuple[Caller, ...] = ()
    unfinished: int = 0
    is_shut_down: bool = False
    is_emptied: bool = False


@dataclass
class SlowQueue:
    """A step at a time; `answers` are those of the step, a refusal as text.

    A get is answered with a tuple of items; `acks` as all getters of a walk have it.
    """

    at: Frozen
    maxsize: int
    acks: bool

    def __post_init__(self) -> None:
        (_, self.ready, self.given, self.putting, self.getting, self.joining, *_) = map(
            _listed, self.at
        )
        self.last, self.unfinished = self.at.last, self.at.unfinished
        self.is_shut_down, self.is_emptied = self.at.is_shut_down, self.at.is_emptied
        self.answers: dict[Caller, Hashable] = {}

    def frozen(self) -> Frozen:
        return Frozen(
            self.last,
            tuple(self.ready),
            tuple(self.given),
            tuple(self.putting),
            tuple(self.getting),
            tuple(self.joining),
            self.unfinished,
            self.is_shut_down,
            self.is_emptied,
        )

    def take(self, event: Event) -> None:
        match event:
            case Lost(session):
                self._forget(lambda one: one.session == session)
                self._come_back([one for one in self.given if one[2].session == session])
            case Withdraw(caller):
                self._withdraw(caller)
            case Ask(caller, "try_put" | "try_get" as verb, args):
                self.take(Ask(caller, verb.removeprefix("try_"), args))
                if caller not in self.answers:
                    self._withdraw(caller)
                    self.answers.setdefault(
                        caller, REFUSED + (FULL if verb == "try_put" else EMPTY)
                    )
            case Ask():
                self._ask(event)
        self._settle()

    def _ask(self, ask: Ask) -> None:
        caller = ask.caller
        self.answers[caller] = None
        match ask.verb, ask.args:
            case "put", (tuple(items),):
                new = tuple(range(self.last + 1, self.last + 1 + len(items)))
                self.last += len(items)
                self.putting.append((caller, new, 0))
                del self.answers[caller]
            case "get", (int(most), _):
                self.getting.append((caller, most))
                del self.answers[caller]
            case "join", ():
                self.joining.append(caller)
                del self.answers[caller]
            case "ack" | "nack" as verb, ((int(number),),):
                own = [
                    one
                    for one in self.given
                    if one[1] == number and one[2].session == caller.session
                ]
                if not own:
                    self.answers[caller] = REFUSED + NOT_GIVEN
                elif verb == "nack":
                    self._come_back(own)
                else:
                    self.given.remove(own[0])
                    self.unfinished = max(0, self.unfinished - 1)
            case "done", (1,):
                if self.unfinished:
                    self.unfinished -= 1
                else:
                    self.answers[caller] = REFUSED + TOO_MANY_DONE
            case "shutdown", (is_immediate,):
                self.is_shut_down = True
                if is_immediate:
                    self.is_emptied = True
                    self.unfinished = max(0, self.unfinished - len(self.ready))
                    self.ready.clear()
            case "size", ():
                self.answers[caller] = len(self.ready)

    def _withdraw(self, caller: Caller) -> None:
        for who, _, count in self.putting:
            if who == caller and count:
                self.answers[caller] = count
        self._forget(lambda one: one == caller)

    def _forget(self, is_gone: Any) -> None:
        self.putting = [one for one in self.putting if not is_gone(one[0])]
        self.getting = [one for one in self.getting if not is_gone(one[0])]
        self.joining = [one for one in self.joining if not is_gone(one)]

    def _come_back(self, ones: list[tuple[int, int, Caller]]) -> None:
        for one in ones:
            self.given.remove(one)
            if self.is_emptied:
                self.unfinished = max(0, self.unfinished - 1)
            else:
                self.ready = sorted([*self.ready, one[0]])

    def _settle(self) -> None:
        if self.is_shut_down:
            for caller, _, count in self.putting:
                self.answers[caller] = count or REFUSED + SHUT_DOWN
            self.putting = []
        while self._admit() or self._give():
            pass
        waiting = [*self.joining, *(caller for caller, _ in self.getting)]
        working = [one for *_, one in self.given if one not in waiting]
        if self.is_emptied or (self.is_shut_down and not working):
            self.answers |= {caller: REFUSED + SHUT_DOWN for caller, _ in self.getting}
            self.getting = []
        if not self.unfinished:
            self.answers |= dict.fromkeys(self.joining)
            self.joining = []

    def _admit(self) -> bool:
        is_full = 0 < self.maxsize <= len(self.ready)
        if not self.putting or is_full:
            return False
        caller, items, count = self.putting.pop(0)
        self.ready.append(items[0])
        self.unfinished += 1
        if items[1:]:
            self.putting.insert(0, (caller, items[1:], count + 1))
            # All that there is room for, before anybody gets it.
            self._admit()
        else:
            self.answers[caller] = count + 1
        return True

    def _give(self) -> bool:
        if not self.getting or not self.ready:
            return False
        caller, most = self.getting.pop(0)
        items, self.ready = self.ready[:most], self.ready[most:]
        self.answers[caller] = tuple(items)
        if not self.acks:
            # Of which number they are is told by the machine.
            self.given += [(item, 0, caller) for item in items]
        return True


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
