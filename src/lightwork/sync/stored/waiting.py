"""Waiting: until a request is answered by what another does.

Who waits holds no connection: it looks, and between two looks waits for word that something has changed. Word may
be slow (a database that sends none, a burst of it), so it looks by itself too: after t seconds t/50 later, within
bounds. A busy store changes all the time: then looking takes half of the waiting thread's time at most.
"""

import time
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable
from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import Reply

_SHORTEST_PAUSE: Final = 0.001
# How late a holder is found to be lost whose lease has run out.
_LONGEST_PAUSE: Final = 0.5
_PART_OF_WAIT: Final = 1 / 50
_RETRY_SECONDS: Final = 0.1


def wait_for_reply(
    store: Store, look: Callable[[], Reply], *, deadline: float, is_trusted: Callable[[], bool]
) -> Reply | None:
    """Return what has become of a request that waits; None: it still waits.

    Args:
        store: Where.
        look: Asks it what has become of the request.
        deadline: By the local clock.
        is_trusted: Whether its session is: if not, there is nothing to wait for.
    """
    seen, began = -1, monotonic()
    while is_trusted():
        now = monotonic()
        if now >= deadline:
            return None
        pause = min(max((now - began) * _PART_OF_WAIT, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        try:
            seen = store.wait_for_change(seen, min(pause, deadline - now))
            looked_at = monotonic()
            reply = look()
        except StoreUnavailable:
            time.sleep(_RETRY_SECONDS)
            continue
        if reply.outcome != "waits":
            return reply
        time.sleep(monotonic() - looked_at)
    return Reply(outcome="lost")
