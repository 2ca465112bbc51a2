"""Hashing: sets and dicts that would take for ever to build. Pure.

Text and bytes hash with a key of the process, numbers and what is made of them do not: a
thousand multiples of 2**61 - 1, UUIDs or tuples that somebody has chosen have one hash, and
each is compared with all before it. Forty thousand of them in a stored result are minutes for
whoever waits for it. So no set and no dict holds more than ALIKE keys of one hash, both ways;
what a dict of honest keys comes to is a few.

Numbers of 64 bits, floats and text need no look: at most 70 of them have one hash.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any, Final

# Powers of two have 61 hashes: all up to 2**6100 fit.
ALIKE: Final = 100


def are_too_alike(keys: Collection[Any]) -> bool:
    """Whether more than ALIKE of the keys have one hash.

    Raises:
        TypeError: A key has no hash.
    """
    return len(keys) > ALIKE and max(Counter(map(hash, keys)).values()) > ALIKE
