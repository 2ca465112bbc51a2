"""Send ahead: whether a busy child is given another call. Pure: numbers in, decision out.

The aim: a short call never waits for a round trip, a long call never has
another one waiting behind it.

- An idle child always gets the next call.
- A busy child is given more only if all it then holds is expected to take less
  than AHEAD_SECONDS, which hides the round trip (about 100 us) many times over
  and delays nobody noticeably. A function that was never measured counts as long.
- When a call turns out to be long all the same, what waits behind it is taken
  back (STALLED_SECONDS) and given to others.
"""

from typing import Final

from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.process_call import ProcessCall

AHEAD_SECONDS: Final = 0.002
# Half of a pipe of 1024 packets: a function may need a packet of its own. Many,
# because a dispatcher whose program is busy gets its turn every 5 ms (the
# interpreter's switch interval), while no-ops take 10 us.
AHEAD_CALLS: Final = 512
# Bytes of arguments on their way to one child.
AHEAD_BYTES: Final = 4 << 20
STALLED_SECONDS: Final = 0.005


def may_send_ahead(
    held_calls: int, held_seconds: float, held_bytes: int, *, seconds: float, size: int
) -> bool:
    """Whether a busy child may be given another call.

    Args:
        held_calls: Calls that it was given and has not answered.
        held_seconds: How long these are expected to take together.
        held_bytes: Size of their arguments.
        seconds: Expected duration of the new call; negative when not known.
        size: Size of its arguments.
    """
    return (
        seconds >= 0
        and held_calls < AHEAD_CALLS
        and held_seconds + seconds <= AHEAD_SECONDS
        and held_bytes + size <= AHEAD_BYTES
    )


def has_room(link: ChildLink, call: ProcessCall) -> bool:
    """Whether the child may be given this call now."""
    held = link.held
    if not link.takes_calls or held.is_stalled:
        return False
    if held.coroutines and len(held.calls) == len(held.coroutines):
        return True
    return not held.calls or may_send_ahead(
        len(held.calls),
        held.seconds,
        held.bytes,
        seconds=call.function.seconds,
        size=len(call.body),
    )


def has_loop_room(link: ChildLink, async_calls: int) -> bool:
    """Whether the child, which runs so many coroutines at most, may be given one more."""
    held = link.held
    return (
        len(held.coroutines) < async_calls
        and link.takes_calls
        and not held.is_stalled
        and held.seconds <= AHEAD_SECONDS
        and held.bytes <= AHEAD_BYTES
    )
