"""Who sleeps at a ring's bell, and who wakes them, as a model that can be explored.

Putters put an item each and getters get one each; the word, the eventfd and the kernel's list of who listens are the
state. Each store, look and system call of bell.py is a step, so that others, and deaths, come between any two.

    getter   look ──nothing──▶ listen ──▶ word = 1 ──▶ look ──nothing──▶ asleep ──rung──▶ word = 1 ──▶ look
               └──item──────────────────────────────────┴──item──▶ more? rings ──▶ done
    putter   put ──▶ word? ──▶ word = 0 ──▶ ring ──▶ done

A ring wakes one who sleeps, any of them, and is kept for each who listens and does not sleep yet. Whoever dies, dies anywhere; the
broker then rings. A `Bugs` puts known mistakes back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from explore import Step

LISTENING = ("heard nothing", "wants", "looked", "asleep")


class Bell(NamedTuple):
    """Who is where.

    `getters` are (at, has it heard a ring); `putters` at which step they are.
    """

    items: int
    word: int
    getters: tuple[tuple[str, bool], ...]
    putters: tuple[str, ...]
    # Deaths of which the broker has yet to ring.
    unmourned: int = 0
    deaths: int = 0


@dataclass(frozen=True)
class Bugs:
    """Mistakes: a step left out, or two the wrong way round."""

    wants_after_look: bool = False
    woken_does_not_want: bool = False
    does_not_pass_on: bool = False
    rings_before_zero: bool = False
    nobody_mourns: bool = False


@dataclass(frozen=True)
class BellModel:
    """Getters, putters, and how many of them may die."""

    getters: int = 2
    putters: int = 2
    deaths: int = 1
    bugs: Bugs = Bugs()

    def starts(self) -> Iterator[Bell]:
        yield Bell(0, 0, (("looks", False),) * self.getters, ("puts",) * self.putters)

    def problem(self, bell: Bell) -> str:
        return ""

    def is_over(self, bell: Bell) -> bool:
        """Whether whoever could get something has: no item lies there beside one who lives and waits."""
        waiting = [at for at, _ in bell.getters if at not in {"done", "dead"}]
        is_put = all(at in {"done", "dead"} for at in bell.putters)
        return is_put and not (bell.items and waiting)

    def steps(self, bell: Bell) -> Iterator[Step[Bell]]:
        """Tell what may come next; numbers are those of the moment, for it does not matter who is who.

        All getters do the same, and all putters: states that differ in their order alone are one, which leaves an
        eighth of them to be seen, and every interleaving.
        """
        for step in self._steps(bell):
            yield Step(step.name, _in_order(step.to), step.is_outside)

    def _steps(self, bell: Bell) -> Iterator[Step[Bell]]:
        for number in range(self.putters):
            yield from self._putter(bell, number)
        for number in range(self.getters):
            yield from self._getter(bell, number)
        if bell.unmourned and not self.bugs.nobody_mourns:
            for rung in _rung(bell):
                yield Step("the broker rings", rung._replace(unmourned=bell.unmourned - 1))
        if bell.deaths < self.deaths:
            yield from self._deaths(bell)

    def _deaths(self, bell: Bell) -> Iterator[Step[Bell]]:
        after = bell._replace(unmourned=bell.unmourned + 1, deaths=bell.deaths + 1)
        for number, (at, _) in enumerate(bell.getters):
            if at not in {"done", "dead"}:
                yield Step(f"getter {number} dies", _getter_at(after, number, "dead"), True)
        for number, at in enumerate(bell.putters):
            if at not in {"done", "dead"}:
                yield Step(f"putter {number} dies", _putter_at(after, number, "dead"), True)

    def _putter(self, bell: Bell, number: int) -> Iterator[Step[Bell]]:
        rings_first = self.bugs.rings_before_zero
        match bell.putters[number]:
            case "puts":
                put = bell._replace(items=bell.items + 1)
                yield Step(f"putter {number} puts", _putter_at(put, number, "looks"))
            case "looks":
                to = ("rings" if rings_first else "zeroes") if bell.word else "done"
                yield Step(f"putter {number} looks", _putter_at(bell, number, to))
            case "zeroes":
                zeroed = bell._replace(word=0)
                to = "done" if rings_first else "rings"
                yield Step(f"putter {number} zeroes", _putter_at(zeroed, number, to))
            case "rings":
                for rung in _rung(bell):
                    to = "zeroes" if rings_first else "done"
                    yield Step(f"putter {number} rings", _putter_at(rung, number, to))

    def _getter(self, bell: Bell, number: int) -> Iterator[Step[Bell]]:
        at, has_heard = bell.getters[number]
        name = f"getter {number}"
        wants_late = self.bugs.wants_after_look
        match at:
            case "looks" | "wants":
                nothing = {"looks": "listens", "wants": "late" if wants_late else "looked"}[at]
                yield Step(f"{name} looks", self._looked(bell, number, nothing))
            case "listens":
                to = "wants" if wants_late else "heard nothing"
                # What has rung before is of no interest.
                yield Step(f"{name} listens", _getter_at(bell, number, to))
            case "heard nothing":
                wanted = bell._replace(word=1)
                yield Step(f"{name} wants", _getter_at(wanted, number, "wants", has_heard))
            case "late":
                wanted = bell._replace(word=1)
                yield Step(f"{name} wants late", _getter_at(wanted, number, "looked", has_heard))
            case "looked" if not has_heard:
                yield Step(f"{name} sleeps", _getter_at(bell, number, "asleep"))
            case "looked" | "asleep" if has_heard:
                to = "wants" if self.bugs.woken_does_not_want else "heard nothing"
                yield Step(f"{name} wakes", _getter_at(bell, number, to))
            case "passes on":
                # Others may sleep, and there is more.
                for rung in _rung(bell._replace(word=0)):
                    yield Step(f"{name} passes on", _getter_at(rung, number, "done"))

    def _looked(self, bell: Bell, number: int, nothing: str) -> Bell:
        at, has_heard = bell.getters[number]
        if not bell.items:
            return _getter_at(bell, number, nothing, has_heard)
        taken = bell._replace(items=bell.items - 1)
        passes_on = at != "looks" and taken.items and not self.bugs.does_not_pass_on
        return _getter_at(taken, number, "passes on" if passes_on else "done")


def _in_order(bell: Bell) -> Bell:
    getters, putters = tuple(sorted(bell.getters)), tuple(sorted(bell.putters))
    return Bell(bell.items, bell.word, getters, putters, bell.unmourned, bell.deaths)


def _getter_at(bell: Bell, number: int, at: str, has_heard: bool = False) -> Bell:
    getters = list(bell.getters)
    getters[number] = (at, has_heard)
    return bell._replace(getters=tuple(getters))


def _putter_at(bell: Bell, number: int, at: str) -> Bell:
    putters = list(bell.putters)
    putters[number] = at
    return bell._replace(putters=tuple(putters))


def _rung(bell: Bell) -> Iterator[Bell]:
    """Yield what a ring may do: who listens keeps it, and of those who sleep it wakes one."""
    heard = [
        (at, has_heard or (at in LISTENING and at != "asleep")) for at, has_heard in bell.getters
    ]
    rung = bell._replace(getters=tuple(heard))
    asleep = [
        n for n, (at, has_heard) in enumerate(bell.getters) if at == "asleep" and not has_heard
    ]
    if not asleep:
        yield rung
    for number in asleep:
        yield _getter_at(rung, number, "asleep", True)
