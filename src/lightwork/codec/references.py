"""References: arguments that are results of other jobs, which a payload names and does not hold.

    payload   = 03, size of the head, head, plain | signed
    head      = MessagePack of [needs success, names of tasks, ids, place of each job's task]

Where a value is still to come, the call has a ResultOf, and the head says which jobs these are
of which task: so the worker, which reads no values, knows what to hand over with the call. Only the
head is not signed; whoever changes it hands over something else for no ResultOf, or nothing,
for each result is verified as that of the job that the ResultOf names (payload.py).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec.msgpack import Decoder, Encoder

from lightwork.callables import swapped
from lightwork.codec.signing import Subject
from lightwork.errors import PayloadError

REFERRING: Final = b"\x03"
_SIZE: Final = struct.Struct(">I")
_ID_SIZE: Final = 16
_encode: Final = Encoder().encode
_decode: Final = Decoder(tuple[bool, list[str], bytes, list[int]]).decode


@dataclass(frozen=True, slots=True)
class ResultOf:
    """Stands among arguments for the result of a job."""

    job_id: UUID

    def __repr__(self) -> str:
        return f"<result of job {self.job_id}>"


class References(NamedTuple):
    """What a call needs of other jobs.

    Attributes:
        jobs: Those whose results it gets.
        needs_success: It does not run unless all of them have succeeded.
    """

    jobs: tuple[Subject, ...]
    needs_success: bool


def with_references(payload: bytes, references: References) -> bytes:
    """Return the payload of a call with a head that says what it needs."""
    names = list(dict.fromkeys(one.task for one in references.jobs))
    places = {name: place for place, name in enumerate(names)}
    ids = b"".join(one.job_id.bytes for one in references.jobs)
    of_task = [places[one.task] for one in references.jobs]
    head = _encode((references.needs_success, names, ids, of_task))
    return b"".join((REFERRING, _SIZE.pack(len(head)), head, payload))


def references_of(payload: bytes) -> References | None:
    """Return what the call of a payload needs; None: nothing.

    Raises:
        PayloadError: The head is damaged.
    """
    if not payload.startswith(REFERRING):
        return None
    try:
        needs_success, names, ids, places = _decode(payload[5 : _end_of_head(payload)])
        jobs = [UUID(bytes=ids[at : at + _ID_SIZE]) for at in range(0, len(ids), _ID_SIZE)]
        subjects = [Subject(one, names[place]) for one, place in zip(jobs, places, strict=True)]
    except Exception as error:
        raise PayloadError(f"stored bytes are damaged: {error}") from error
    return References(tuple(subjects), needs_success)


def without_references(payload: bytes) -> bytes:
    """Return the payload without its head, if it has one."""
    return payload[_end_of_head(payload) :] if payload.startswith(REFERRING) else payload


def with_results(
    args: tuple[Any, ...], kwargs: dict[str, Any], results: Mapping[UUID, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call with results in the places of their references.

    Raises:
        PayloadError: It asks for one that is not given.
    """

    def result(reference: ResultOf) -> Any:
        try:
            return results[reference.job_id]
        except KeyError:
            raise PayloadError(
                f"the call asks for the result of job {reference.job_id}, which it does not name"
            ) from None

    kinds = (ResultOf,)
    return swapped(args, kinds, result), swapped(kwargs, kinds, result)


def _end_of_head(payload: bytes) -> int:
    if len(payload) < 1 + _SIZE.size:
        raise PayloadError("stored bytes are damaged: the head of a call is cut off")
    return 1 + _SIZE.size + int(_SIZE.unpack_from(payload, 1)[0])
