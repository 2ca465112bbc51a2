"""Capsule: an exception packed so that it always arrives.

Known trap elsewhere: an exception whose `__init__` wants other arguments than
`args` pickles well and cannot be loaded, which kills or hangs the receiving
side. So the child loads its own pickle before it sends it, and always sends the
text and traceback beside it; the pool (remote.py) falls back to those.
"""

import pickle
import traceback

from lightwork.pool.pickling import dump, load


def pack_exception(error: BaseException) -> bytes:
    """Return the exception as bytes; never raises."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    try:
        # A plain str, whatever subclass __str__ returned.
        text = str.__str__(str(error))
    except BaseException as broken:
        text = f"<its text cannot be shown: {type(broken).__name__}>"
    return pickle.dumps((kind, text, _format(error), _dump_checked(error)), 5)


def _format(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException as broken:
        return f"<the traceback cannot be shown: {type(broken).__name__}>\n"


def _dump_checked(error: BaseException) -> bytes:
    try:
        data = dump(error)
        return data if isinstance(load(data), BaseException) else b""
    except BaseException:
        # User code ran in __reduce__ or __init__: whatever it raised, even
        # SystemExit, the text still travels.
        return b""
