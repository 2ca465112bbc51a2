"""Packing: what travels between the program and the workers of Dask, as bytes.

Bytes, because Dask's scheduler unpickles what it is given, and need not have what the calls
import. Functions go once per batch. As in a store each pickle is a world of its own: no
child on another machine shares the names of this program.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from lightwork.by_value.dumping import dump_plain_first, store_by_value

# What has become of a call: its value; what it raised; what the pool says of it; and nothing more.
VALUE: Final = "value"
RAISED: Final = "raised"
LOST: Final = "lost"
CANCELLED: Final = "cancelled"


class BatchFunction(NamedTuple):
    """A function that calls of a batch are of: pickled, its name for people, and its kind."""

    data: bytes
    name: str
    is_async: bool


class PackedCall(NamedTuple):
    """One call of a batch.

    Attributes:
        seq: Its number in the executor.
        function: Which of the batch's functions.
        arguments: Pickled: positional ones and keywords.
        timeout: As in CallOptions.
        max_memory: The same.
        attempt: The same.
    """

    seq: int
    function: int
    arguments: bytes
    timeout: float
    max_memory: int
    attempt: int


class Batch(NamedTuple):
    """What one task of Dask is given; `ticket` is "" where it may be run again."""

    functions: tuple[BatchFunction, ...]
    calls: tuple[PackedCall, ...]
    ticket: str


class Said(NamedTuple):
    """What a call reports: `note` may be one that only lightwork writes (pool/call/current.py)."""

    seq: int
    done: float
    total: float
    note: str


class Outcome(NamedTuple):
    """What has become of a call.

    Attributes:
        seq: Its number.
        kind: One of the four above.
        body: A value, or an exception as dump_exception.py packs it; pickled.
        seconds: How long the function ran; 0.0 if that is not known.
        said: All that it has reported but for what was replaced by a later report.
    """

    seq: int
    kind: str
    body: bytes
    seconds: float
    said: tuple[Said, ...]


def dump(value: object) -> bytes:
    """Return a value as bytes, by value if it has to be.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    return dump_plain_first(value, store_by_value)


def pack_batch(batch: Batch) -> bytes:
    """Return a batch as bytes; plain tuples cost less than their classes' names."""
    functions, calls = tuple(map(tuple, batch.functions)), tuple(map(tuple, batch.calls))
    return pickle.dumps((functions, calls, batch.ticket), 5)


def unpack_batch(data: bytes) -> Batch:
    """Return the batch."""
    functions, calls, ticket = pickle.loads(data)
    return Batch(
        tuple(BatchFunction(*one) for one in functions),
        tuple(PackedCall(*call) for call in calls),
        ticket,
    )


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as bytes."""
    return pickle.dumps([(*one[:4], tuple(map(tuple, one.said))) for one in outcomes], 5)


def unpack_outcomes(data: bytes) -> list[Outcome]:
    """Return the outcomes."""
    return [
        Outcome(seq, kind, body, seconds, tuple(Said(*one) for one in said))
        for seq, kind, body, seconds, said in pickle.loads(data)
    ]


load: Callable[[bytes], Any] = pickle.loads
