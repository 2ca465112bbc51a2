"""Codec: a call and its result as bytes; in submitters, and in the children that run jobs.

    payload   = plain | signed
    plain     = 01, MessagePack of [arguments, keywords] or of a result
    signed    = 02, HMAC-SHA256 (32 bytes), pickle

Plain data is the rule: Python's built-in types come back equal in type and
value, and dataclasses, enums, msgspec Structs and NamedTuples come back as what
the function's annotation says. Everything else needs a pickle, and a pickle
needs the key: its signature covers the purpose, the job, its task and the bytes, and is
verified before anything is loaded.

Invariants:

- Stored bytes never choose code. A class comes from an annotation of the
  function that is called, or from a pickle that a holder of the key has made.
- No silent change of type: a value that would come back as another type is
  refused when it is encoded.
- Size and depth are bounded both ways, and hostile bytes only ever raise
  PayloadError.

Read in this order: payload.py (the public class), signing.py (keys), plain.py (built-in types),
typed.py (annotated classes), hints.py (what an annotation allows), references.py (results of other jobs).
"""

from lightwork.codec.payload import Codec
from lightwork.codec.signing import Subject, check_authkey

__all__ = ["Codec", "Subject", "check_authkey"]
