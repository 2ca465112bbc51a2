"""Ring: what its steps do, in every order to a depth, and what a kill at each of their stores leaves."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Final

import pytest

from lightwork.sync.ring import ring as ring_module
from lightwork.sync.ring.layout import GET_SEQ, MODE, PUT_SEQ
from lightwork.sync.ring.ring import MovedError, Ring, Taken
from sync.ring.kept import Killed, Model, Words, ring_of, seen

# So small that it is full, and comes round, within a few steps; given back in pieces of two words.
SIZE: Final = 128
STRIDE: Final = 16
MAXSIZE: Final = 3
DEPTH: Final = 5


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "STRIDE", STRIDE)


class Both:
    """A ring, and the model of it; each step is done on both, and they must agree."""

    def __init__(self) -> None:
        self.ring = ring_of(SIZE)
        self.model = Model()
        self.next = 0
        self.last: Taken | None = None

    def items(self, count: int, length: int) -> tuple[bytes, ...]:
        return tuple(b"%d" % (self.next + n) * length for n in range(count))

    def put(self, count: int, length: int = 1) -> None:
        items = self.items(count, length)
        done = self.ring.put(items, MAXSIZE)
        room = MAXSIZE - len(self.model.items)
        if self.model.is_shut_down:
            assert done == -1
        elif room <= 0:
            assert done == 0
        else:
            assert done in {0, min(count, room)}, (
                "all that there is room for, if there are the bytes"
            )
        done = max(done, 0)
        self.next += count
        self.model.items += items[:done]
        self.model.unfinished += done

    def take(self, most: int) -> None:
        taken = self.ring.take(most)
        expected = [self.model.items.popleft() for _ in range(min(most, len(self.model.items)))]
        assert taken[1] == expected
        self.last = taken if expected else self.last

    def put_back(self) -> None:
        if self.last is not None:
            taken, self.last = self.last, None
            if self.ring.put_back(taken):
                self.model.items.extendleft(reversed(taken[1]))

    def done(self) -> None:
        is_done = self.ring.done(1)
        assert is_done == (self.model.unfinished > 0)
        self.model.unfinished -= is_done

    def shut_down(self, is_immediate: bool) -> None:
        self.ring.shut_down(is_immediate=is_immediate)
        self.model.is_shut_down = True
        if is_immediate:
            count = len(self.model.items)
            self.model.items.clear()
            self.model.unfinished = max(0, self.model.unfinished - count)
            self.last = None


STEPS: Final[dict[str, Callable[[Both], None]]] = {
    "put one": lambda both: both.put(1),
    "put a long one": lambda both: both.put(1, 20),
    "put three": lambda both: both.put(3, 3),
    "take one": lambda both: both.take(1),
    "take all": lambda both: both.take(9),
    "put back": lambda both: both.put_back(),
    "done": lambda both: both.done(),
    "shut down": lambda both: both.shut_down(False),
    "shut down at once": lambda both: both.shut_down(True),
}


def _ways(depth: int) -> Iterator[tuple[str, ...]]:
    for way in product(STEPS, repeat=depth):
        # What ends it is looked at as the last step only: few steps do anything after that.
        if not any(step.startswith("shut down") for step in way[:-2]):
            yield way


def test_every_order_of_steps_is_that_of_a_queue() -> None:
    for way in _ways(DEPTH):
        both = Both()
        for step in way:
            STEPS[step](both)
            assert seen(both.ring) == both.model.seen(), way


def test_it_comes_round_many_times() -> None:
    for put, take in product(("put one", "put a long one", "put three"), ("take one", "take all")):
        both = Both()
        for _ in range(200):
            STEPS[put](both)
            STEPS[take](both)
            assert seen(both.ring) == both.model.seen()


def test_a_kill_at_any_store_leaves_what_was_before_or_what_comes_after() -> None:
    stores = 0
    for way in _ways(3):
        both = Both()
        # Not at its beginning, so that records cross its end.
        for _ in range(4):
            both.put(1, 20)
            both.take(9)
        for step in way[:-1]:
            STEPS[step](both)
        before, after = both.model.seen(), copy.deepcopy(both)
        STEPS[way[-1]](after)
        for killed in _killed_everywhere(both, way[-1]):
            stores += 1
            assert seen(killed.ring) in (before, after.model.seen()), way
            _goes_on(killed)
    assert stores > 1000


def _killed_everywhere(both: Both, step: str) -> Iterator[Both]:
    """Yield it after a kill before each store of a step."""
    number = 0
    while True:
        victim = copy.deepcopy(both)
        words = victim.ring.words
        assert isinstance(words, Words)
        words.last = words.stores + number
        try:
            STEPS[step](victim)
        except Killed:
            words.last = -1
            yield victim
        else:
            return
        number += 1


def _goes_on(killed: Both) -> None:
    """Whoever comes next finds a queue that works."""
    items, unfinished, is_shut_down = seen(killed.ring)
    killed.model.items.clear()
    killed.model.items += items
    killed.model.unfinished, killed.model.is_shut_down, killed.last = unfinished, is_shut_down, None
    for step in ("put one", "take one", "put three", "take all", "done", "put a long one"):
        STEPS[step](killed)
        assert seen(killed.ring) == killed.model.seen()


def _while(one: Ring, other: Callable[[], None], at: int) -> None:
    """Let another process do all of `other` before the look of that number."""
    words = one.words
    assert isinstance(words, Words)
    looks = 0

    def look(_: int) -> None:
        nonlocal looks
        looks += 1
        if looks == at:
            words.on_look = None
            other()

    words.on_look = look


def test_the_other_side_may_come_between_any_two_looks() -> None:
    for first, second in (
        ("put three", "take all"),
        ("take all", "put one"),
        ("take one", "put three"),
    ):
        for filled in range(3):
            for at in range(1, 40):
                both = Both()
                both.put(filled) if filled else None
                got: list[bytes] = []
                put: list[bytes] = [*both.model.items]

                def act(
                    step: str, both: Both = both, got: list[bytes] = got, put: list[bytes] = put
                ) -> None:
                    if step.startswith("put"):
                        items = both.items(3 if step == "put three" else 1, 1)
                        both.next += len(items)
                        put += items[: both.ring.put(items, 0)]
                    else:
                        got += both.ring.take(9 if step == "take all" else 1)[1]

                _while(both.ring, partial(act, second), at)
                act(first)
                both.ring.words.on_look = None  # type: ignore[attr-defined]
                got += both.ring.take(9)[1]
                assert got == put


def test_a_look_is_of_one_moment() -> None:
    for at in range(1, 20):
        both = Both()
        both.put(1)

        def pass_one(both: Both = both) -> None:
            both.ring.put((b"x",), 0)
            both.ring.take(1)

        _while(both.ring, pass_one, at)
        assert both.ring.look().size in {1, 2}


def test_what_is_moved_in_the_middle_of_a_step_is_changed_no_more() -> None:
    for step in ("put one", "put three", "take one", "take all", "put back", "done"):
        for at in range(1, 40):
            both = Both()
            both.put(2)
            both.take(1)
            _while(both.ring, both.ring.move, at)
            words: list[int] = both.ring.words  # type: ignore[assignment]
            try:
                STEPS[step](both)
            except MovedError:
                seqs = list.__getitem__(words, PUT_SEQ), list.__getitem__(words, GET_SEQ)
                assert seqs == (1, 1)
            else:
                assert not list.__getitem__(words, MODE) or at > 1


def test_what_is_given_back_is_no_longer_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both()
    both.put(1, 20)
    taken = both.ring.take(1)
    both.ring.take(1)

    assert not both.ring.put_back(taken)
    assert both.ring.look().size == 0
