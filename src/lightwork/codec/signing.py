"""Signing: which key makes a pickle trustworthy, and what its signature is about.

    payload key = HKDF-SHA256(authkey, info)
    signature   = HMAC-SHA256(payload key, purpose, job id, size of the name, task name, bytes)

A pickle is code, so its signature must say what the code is for: a payload that is
copied to another job, to another task of the same job, or from a result to a call
is not signed. The name has its size in front, so that no two subjects can be
written as the same bytes. Payloads have a key of their own, derived from the
authkey: whoever only knows the key of a connection can sign no pickle. Such a key may be
given in the place of an authkey (net/keys/); then no pickle is signed or loaded, because a
server, and other holders of the key, could sign what would be run here.
"""

import functools
import hashlib
import hmac
import struct
from typing import Final, Literal, NamedTuple
from uuid import UUID

from lightwork.errors import UsageError

Purpose = Literal["call", "result"]

SIGNATURE_SIZE: Final = hashlib.sha256().digest_size
# A guess of so many bits is not worth the attempt; the same bound everywhere.
MIN_KEY_SIZE: Final = 16
# What the text of every key begins with that was derived for the wire.
DERIVED: Final = b"lwk1."
_PAYLOAD_KEY: Final = b"lightwork payload 1"
_SIZE: Final = struct.Struct(">I")


class Subject(NamedTuple):
    """What a payload belongs to: the job, and the task as the job's row names it."""

    job_id: UUID
    task: str


def check_authkey(authkey: bytes, source: str = "authkey") -> bytes:
    """Return the key, which may be empty: there is none.

    Args:
        authkey: The key.
        source: Where it comes from, for the error.

    Raises:
        UsageError: It is not bytes, or too short to be a secret.
    """
    if not isinstance(authkey, bytes):
        raise UsageError(f"{source} must be bytes; seen: {type(authkey).__name__}")
    if 0 < len(authkey) < MIN_KEY_SIZE:
        raise too_short(authkey, source)
    return authkey


def missing_key(authkey: bytes) -> str:
    """Return why a key is none for pickles, in words; "" if it is one."""
    if not authkey:
        return "no authkey is set here"
    if authkey.startswith(DERIVED):
        return "the key that is set here was derived from the authkey, and is for the wire alone"
    return ""


def too_short(authkey: bytes, source: str) -> UsageError:
    """Return the error for a key that could be guessed."""
    return UsageError(
        f"{source} holds {len(authkey)} bytes; expected at least {MIN_KEY_SIZE}, of chance, as "
        "`lightwork key new FILE` makes them"
    )


def sign(authkey: bytes, purpose: Purpose, subject: Subject, data: bytes) -> bytes:
    """Return the signature of bytes that serve this purpose of this job and task."""
    task = subject.task.encode("utf-8", "surrogatepass")
    head = (purpose.encode(), b"\0", subject.job_id.bytes, _SIZE.pack(len(task)), task)
    signed = hmac.new(_payload_key(authkey), b"".join(head), "sha256")
    signed.update(data)
    return signed.digest()


@functools.lru_cache(maxsize=16)
def _payload_key(authkey: bytes) -> bytes:
    # HKDF of RFC 5869 without salt; one block is as long as the key that is wanted.
    extracted = hmac.digest(bytes(SIGNATURE_SIZE), authkey, "sha256")
    return hmac.digest(extracted, _PAYLOAD_KEY + b"\x01", "sha256")
