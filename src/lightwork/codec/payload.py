"""Payload: the bytes of one call or one result, bounded and, if pickled, signed.

The only file that decides between plain data and pickle:

    encode   plain data if every value allows it; else a signed pickle if there
             is a key; else PayloadError that names the argument and the ways out
    decode   the first byte says which; a pickle is loaded only after its
             signature was found right for this purpose, this job and this task

A signature binds the bytes to their Subject, so a stored payload cannot be replayed
as another job's or another task's, nor a result as a call (signing.py). Plain data is not signed: it can do
nothing but be wrong, and whoever can write it can submit jobs anyway.

Called by the face (encode calls, decode results) and by workers (the reverse).
"""

import dataclasses
import hashlib
import hmac
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lightwork.by_value.dumping import dump_plain_first, store_by_value
from lightwork.codec.hints import CallHints, Hints, call_hints
from lightwork.codec.plain import SCALARS, NotPlain, Reader, Writer, decode, encode, is_simple
from lightwork.codec.references import without_references
from lightwork.codec.signing import (
    SIGNATURE_SIZE,
    Purpose,
    Subject,
    check_authkey,
    missing_key,
    sign,
)
from lightwork.errors import PayloadError

PLAIN: Final = b"\x01"
SIGNED: Final = b"\x02"
# Of a payload; no program reads a larger one.
MAX_BYTES: Final = 16 * 1024 * 1024
_TEXT_ONLY: Final = frozenset({str})
_NO_NAMES: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Encodes and decodes calls and results.

    Attributes:
        authkey: Signs and verifies pickles, 16 bytes or more; empty, or the text of a key
            that was derived for the wire: plain data only.
        max_bytes: Upper bound of a payload.
        max_depth: How deeply containers may be nested.
    """

    authkey: bytes = field(default=b"", repr=False)
    max_bytes: int = MAX_BYTES
    max_depth: int = 64

    def up_to(self, most_bytes: int) -> "Codec":
        """Return one whose payloads have no more bytes than that, nor than those of this one."""
        return dataclasses.replace(self, max_bytes=min(self.max_bytes, most_bytes))

    def __post_init__(self) -> None:
        check_authkey(self.authkey)

    def encode_call(
        self,
        subject: Subject,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        fn: Callable[..., Any] | None = None,
    ) -> bytes:
        """Return the payload of `fn(*args, **kwargs)`.

        Raises:
            PayloadError: A value cannot be stored, or the payload is too large.
        """
        try:
            payload = PLAIN + self._plain_call(args, kwargs, fn)
        except NotPlain as refusal:
            payload = self._signed("call", subject, (args, kwargs), refusal)
        return self._bounded(payload)

    def encode_flat_call(self, args: tuple[Any, ...]) -> bytes | None:
        """Return the payload of a call that has numbers and texts alone; None: see `encode_call`."""
        if not SCALARS.issuperset(map(type, args)):
            return None
        try:
            return self._bounded(PLAIN + encode((args, _NO_NAMES)))
        except (OverflowError, UnicodeEncodeError):
            return None

    def decode_call(
        self, subject: Subject, payload: bytes, fn: Callable[..., Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments and keywords of a call.

        Raises:
            PayloadError: The bytes are damaged, too large, or not signed with this key.
        """
        payload = without_references(payload)
        if self._is_signed(payload):
            call = self._loaded("call", subject, payload)
        else:
            call = self._read_call(payload[1:], fn)
        args, kwargs = call
        return tuple(args), kwargs

    def encode_result(
        self, subject: Subject, value: Any, *, fn: Callable[..., Any] | None = None
    ) -> bytes:
        """Return the payload of what a function returned.

        Raises:
            PayloadError: The value cannot be stored, or the payload is too large.
        """
        try:
            payload = PLAIN + self._plain_result(value, fn)
        except NotPlain as refusal:
            payload = self._signed("result", subject, value, refusal)
        return self._bounded(payload)

    def decode_result(
        self, subject: Subject, payload: bytes, *, fn: Callable[..., Any] | None = None
    ) -> Any:
        """Return what the function returned.

        Raises:
            PayloadError: The bytes are damaged, too large, or not signed with this key.
        """
        if self._is_signed(payload):
            return self._loaded("result", subject, payload)
        body = payload[1:]
        wire = _unpacked(body)
        if is_simple(body, self.max_depth):
            return wire
        return Reader(max_depth=self.max_depth).read(wire, call_hints(fn).result)

    def payload_digest(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, fn: Callable[..., Any] | None = None
    ) -> bytes:
        """Return 32 bytes that are equal for equal calls, in every process and release.

        Neither the order of keywords nor that of a set's items counts; that of
        a dict's keys does, because a function may well depend on it.

        Raises:
            PayloadError: A value is not plain data: a pickle of it may differ each time.
        """
        try:
            data = self._plain_call(args, dict(sorted(kwargs.items())), fn)
        except NotPlain as refusal:
            raise PayloadError(
                f"{refusal.place} gives a call no lasting identity: {refusal.type_name} "
                f"{refusal.reason}. Pass plain data, annotate the parameter, or submit "
                "without a key"
            ) from refusal
        return hashlib.sha256(data).digest()

    def _plain_call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fn: Callable[..., Any] | None
    ) -> bytes:
        if SCALARS.issuperset(map(type, args)) and SCALARS.issuperset(map(type, kwargs.values())):
            _check_names(kwargs)
            try:
                return encode((args, kwargs))
            except (OverflowError, UnicodeEncodeError):
                pass  # An integer or a string that MessagePack does not know.
        hints = call_hints(fn)
        return self._packed(lambda writer: _written_call(writer, hints, args, kwargs))

    def _plain_result(self, value: Any, fn: Callable[..., Any] | None) -> bytes:
        if type(value) in SCALARS:
            try:
                return encode(value)
            except (OverflowError, UnicodeEncodeError):
                pass  # An integer or a string that MessagePack does not know.
        hints = call_hints(fn)
        place = f"the result of {hints.function}"
        return self._packed(lambda writer: _written(writer, value, hints.result, place))

    def _packed(self, written: Callable[[Writer], Any], *, careful: bool = False) -> bytes:
        writer = Writer(max_depth=self.max_depth, room=self.max_bytes, careful=careful)
        try:
            return encode(written(writer))
        except RecursionError as error:
            raise PayloadError(
                "a value is nested too deeply for this interpreter's recursion limit"
            ) from error
        except (OverflowError, UnicodeEncodeError) as error:
            if careful:
                raise PayloadError(f"a value or a keyword cannot be stored: {error}") from error
        return self._packed(written, careful=True)

    def _read_call(
        self, body: bytes, fn: Callable[..., Any] | None
    ) -> tuple[list[Any], dict[str, Any]]:
        wire = _unpacked(body)
        if type(wire) is not list or len(wire) != 2:
            raise PayloadError("stored bytes are not those of a call")
        args, kwargs = wire
        if type(args) is not list or type(kwargs) is not dict:
            raise PayloadError("stored bytes are not those of a call")
        _check_names(kwargs)
        if is_simple(body, self.max_depth):
            return args, kwargs
        hints, reader = call_hints(fn), Reader(max_depth=self.max_depth)
        values = [reader.read(part, hints.at(position)[1]) for position, part in enumerate(args)]
        return values, {name: reader.read(kwargs[name], hints.named(name)) for name in kwargs}

    def _bounded(self, payload: bytes) -> bytes:
        if len(payload) > self.max_bytes:
            raise PayloadError(
                f"a payload may have {self.max_bytes} bytes, this one has {len(payload)}; "
                "store large data elsewhere and pass where it is"
            )
        return payload

    def _is_signed(self, payload: bytes) -> bool:
        form = self._bounded(payload)[:1]
        if form not in (PLAIN, SIGNED):
            raise PayloadError(
                "stored bytes are no payload: they are damaged, or a newer lightwork wrote them"
            )
        return form == SIGNED

    def _signed(self, purpose: Purpose, subject: Subject, value: Any, refusal: NotPlain) -> bytes:
        if missing := missing_key(self.authkey):
            raise PayloadError(
                f"{refusal.place} cannot be stored: {refusal.type_name} {refusal.reason}. "
                "Pass plain data; or annotate the function with the dataclass, enum, Struct or "
                "NamedTuple it takes or returns; or set an authkey, with which values travel "
                f"as signed pickles ({missing})",
                place=refusal.place,
                type_name=refusal.type_name,
            ) from refusal
        data = _pickled(value, refusal)
        return SIGNED + sign(self.authkey, purpose, subject, data) + data

    def _loaded(self, purpose: Purpose, subject: Subject, payload: bytes) -> Any:
        if missing := missing_key(self.authkey):
            raise PayloadError(
                f"the {purpose} of job {subject.job_id} is a signed pickle and {missing}; "
                "set the authkey that its writer used"
            )
        signature, data = payload[1 : SIGNATURE_SIZE + 1], payload[SIGNATURE_SIZE + 1 :]
        if not hmac.compare_digest(signature, sign(self.authkey, purpose, subject, data)):
            raise PayloadError(
                f"the {purpose} of job {subject.job_id} is not signed for {subject.task} with "
                "this authkey: it was written with another key, for another job or task, or "
                "tampered with; not loaded"
            )
        try:
            return pickle.loads(data)
        except Exception as error:
            raise PayloadError(
                f"the {purpose} of job {subject.job_id} is rightly signed but cannot be loaded here: "
                f"{error!r}; install and import what its writer had"
            ) from error


def _written_call(
    writer: Writer, hints: CallHints, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    _check_names(kwargs)
    values: list[Any] = []
    for position, value in enumerate(args):
        name, allowed = hints.at(position)
        values.append(_written(writer, value, allowed, f"argument {name!r} of {hints.function}"))
    named: dict[str, Any] = {}
    for name, value in kwargs.items():
        place = f"argument {name!r} of {hints.function}"
        named[name] = _written(writer, value, hints.named(name), place)
    return values, named


def _written(writer: Writer, value: Any, hints: Hints, place: str) -> Any:
    try:
        return writer.write(value, hints)
    except NotPlain as refusal:
        refusal.place = place
        raise


def _check_names(kwargs: Mapping[str, Any]) -> None:
    if kwargs and not _TEXT_ONLY.issuperset(map(type, kwargs)):
        raise PayloadError("the names of keyword arguments must be plain text")


def _unpacked(body: bytes) -> Any:
    try:
        return decode(body)
    except Exception as error:
        # Too deep, too long, not UTF-8 ...: whatever it is, the bytes are wrong.
        raise PayloadError(f"stored bytes are damaged: {error}") from error


def _pickled(value: Any, refusal: NotPlain) -> bytes:
    try:
        # What lives in __main__ here is not in the __main__ of a worker.
        return dump_plain_first(value, store_by_value)
    except Exception as error:
        raise PayloadError(
            f"{refusal.place} cannot be stored: {refusal.type_name} {refusal.reason}, "
            f"and it cannot be pickled: {error!r}"
        ) from error
