"""Values: what queues and dicts are given, as bytes and back.

In this program and between processes of one user, pickles. In a store, plain data if it is plain, else a pickle that
is signed with the authkey, as jobs are: a pickle is code, and whoever can write into a database must not
be able to run some here. The signature is for this one queue or dict.
"""

import ast
import hashlib
import math
import pickle
from typing import Any, Final, Protocol
from uuid import UUID

from lightwork.by_value.dumping import dump_plain_first, store_by_value
from lightwork.errors import PayloadError, UsageError
from lightwork.sync.host import Host, Place
from lightwork.sync.opening import authkey_of

_KEYS: Final = (str, bytes, int, float, bool, type(None))


class Values(Protocol):
    """One way to write values."""

    def dump(self, value: object) -> bytes:
        """Return it as bytes; whatever its own pickling raises, or PayloadError."""

    def load(self, data: bytes) -> Any:
        """Return the value; PayloadError if the bytes are not to be trusted."""


class Pickled:
    """Where nobody writes but this user's own processes."""

    def dump(self, value: object) -> bytes:
        """Return a pickle; what lives in `__main__` goes by value."""
        return dump_plain_first(value, store_by_value)

    def load(self, data: bytes) -> Any:
        """Return what was pickled."""
        return pickle.loads(data)


class Signed:
    """In a store: the codec of jobs, for a place in place of a job."""

    def __init__(self, place: Place, authkey: bytes) -> None:
        # msgspec: only for what is in a store.
        from lightwork.codec.payload import Codec  # noqa: PLC0415 - see above
        from lightwork.codec.plain import NotPlain  # noqa: PLC0415 - see above
        from lightwork.codec.signing import Subject, missing_key  # noqa: PLC0415 - see above

        self._place = place
        named = f"{place.kind} {place.name}"
        self._subject = Subject(UUID(bytes=hashlib.sha256(named.encode()).digest()[:16]), named)
        self._codec, self._not_plain = Codec(authkey=authkey), NotPlain
        self._missing = missing_key(authkey)

    def dump(self, value: object) -> bytes:
        """Return plain data or a signed pickle."""
        try:
            return self._codec.encode_result(self._subject, value)
        except PayloadError as error:
            if not isinstance(error.__cause__, self._not_plain):
                raise PayloadError(f"{self._shown}: {error}") from error
            raise PayloadError(
                f"{self._shown}: {type(value).__qualname__} cannot be stored, or something in it: it is not plain "
                "data. Pass plain data (numbers, texts, dates, lists, dicts and so on), or set an authkey, with "
                f"which values travel as signed pickles ({self._missing})"
            ) from error

    def load(self, data: bytes) -> Any:
        """Return the value."""
        try:
            return self._codec.decode_result(self._subject, data)
        except PayloadError as error:
            raise PayloadError(f"{self._shown}: {error}") from error

    @property
    def _shown(self) -> str:
        return f"{self._place.kind} {self._place.name!r}"


def values_of(host: Host, place: Place) -> Values:
    """Return how values of a place are written."""
    if host.where in {"threads", "processes"}:
        return Pickled()
    return Signed(place, authkey_of(host))


def dump_key(key: object) -> bytes:
    """Return the key of a Dict as bytes that are the same in every process.

    Raises:
        UsageError: It is not made of what can be written so.
    """
    _check_key(key)
    return repr(key).encode("utf-8", "surrogatepass")


def load_key(data: bytes) -> Any:
    """Return the key."""
    return ast.literal_eval(data.decode("utf-8", "surrogatepass"))


def _check_key(key: object) -> None:
    # Exact types: of a subclass another process may know nothing. What is not finite is not read back.
    if type(key) is tuple:
        for part in key:
            _check_key(part)
    elif type(key) not in _KEYS or (isinstance(key, float) and not math.isfinite(key)):
        raise UsageError(
            f"{key!r} is no key of a Dict; expected str, bytes, int, float, bool, None, or a tuple of these"
        )
