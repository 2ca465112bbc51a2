"""Sending: when a child sends its answers, and when the pool looks for those it keeps. Pure.

A child keeps answers back in shared memory (control_block.py) because a write for each would
cost more than a short call. What makes that safe is one sentence:

    **Whoever sleeps has sent.** A child that may block in `read`, or in `select`,
    has no byte unsent. So answers are kept only by a child that is awake: one
    that runs a call, or is on its way from one call to the next.

The child cannot know whether its pipe is empty: the pool takes packets back
whenever it likes, also between a look and a read. So nothing may rest on a
look. PACKETS is a hint: where it says that more has come, the child reads
*without blocking*, and if nothing is there it sends and only then reads in a
way that may sleep. While it has packets that costs nothing; an idle child, for
which the hint says so, sends and sleeps at once.

From that follows what the pool has to do for an answer that is kept:

- the child goes on to another packet: it sends soon, by itself;
- it finds none: it sends before it sleeps;
- it runs a call: the pool looks into the control block from time to time, as long as a call
  beside that one is unanswered (`must_be_peeked`). It can take all that is
  kept, because that is KEPT_MAX at most, half the ring: a frame that is being
  copied at this moment, at most the other half, never overwrites it.

tests/models/pool_child.py explores every interleaving of this with recalls, stops and
deaths, using the decisions below.
"""

from typing import Final

from lightwork.pool.memory.control_block import KEPT_MAX, PEEKING

FLUSH_NS: Final = 500_000 if PEEKING else 0


def may_keep(packets: int, taken: int, kept_ns: int) -> bool:
    """Whether a child may read its next packet, without blocking, before it sends.

    Args:
        packets: How many the pool says it has put into the pipe.
        taken: How many were read.
        kept_ns: How long ago answers were last sent.
    """
    return packets > taken and kept_ns <= FLUSH_NS


def must_send_first(size: int, kept: int) -> bool:
    """Whether a child that keeps so many bytes must send them before a frame of this size."""
    return size + kept > KEPT_MAX


def must_be_peeked(calls: int, bundles: int) -> bool:
    """Whether a child that holds so many calls may run one and keep the answer of another."""
    return calls > 1 or bundles > 0
