"""Interrupted: a question that a Ctrl-C cuts off, at one point later each time."""

from lightwork.sync.broker.host import Broker
from lightwork.sync.host import Place
from sync.cut_off import is_cut_off


def acquire_and_be_interrupted_everywhere(host: Broker, place: Place) -> int:
    """Return how many questions were cut off, each of which must have left the lock free."""

    def ask() -> None:
        host.ask(place, "acquire", undo=lambda _answer: ("release", ()))

    for number in range(1, 10_000):
        if not is_cut_off(ask, "/lightwork/sync/", number):
            host.ask(place, "release")
            return number - 1
        assert host.ask(place, "locked") is False, f"held by nobody after point {number}"
    raise AssertionError("it has no end")


def get_and_be_interrupted_everywhere(host: Broker, place: Place) -> int:
    """Return how many gets were cut off, each of which must have left the item there."""
    host.ask(place, "put", ((b"item",),))

    def get() -> None:
        host.ask(place, "get", (1, True), undo=lambda items: ("put_back", (items,)))

    for number in range(1, 10_000):
        if not is_cut_off(get, "/lightwork/sync/", number):
            return number - 1
        assert host.ask(place, "size") == 1, f"lost after point {number}"
    raise AssertionError("it has no end")
