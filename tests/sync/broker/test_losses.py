"""A broker that is killed takes all that it holds with it, and says so of each."""

from pathlib import Path

import pytest

from lightwork.errors import LockLost
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from sync.programs import broker_pid, kill_and_wait

QUEUE = Place("queue", "letters", (0,))
EVENT = Place("event", "done")


def test_each_primitive_is_told_once_that_the_broker_has_ended(
    host: ArenaBroker, folder: Path
) -> None:
    host.ask(QUEUE, "put", ((b"letter",),))
    host.ask(EVENT, "set")
    kill_and_wait(broker_pid(folder))

    for place, verb in ((QUEUE, "size"), (EVENT, "is_set")):
        with pytest.raises(LockLost, match="has ended"):
            host.ask(place, verb)

    assert (host.ask(QUEUE, "size"), host.ask(EVENT, "is_set")) == (0, False)
