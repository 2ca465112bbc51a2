"""Dump exception: an exception packed so that it always arrives; the one way in which errors travel.

Known trap elsewhere: an exception that pickles well and cannot be loaded kills
or hangs the receiving side. So the child loads its own pickle before it sends it,
and always sends the text and traceback beside it; the pool (load_exception.py) falls back
to those. A class with a constructor of its own is rebuilt without it (rebuild_exception.py).
"""

import pickle

from lightwork.error_text import class_name, text_of, trace_of
from lightwork.pool.wire.pickling import dump_answer, load
from lightwork.pool.wire.rebuild_exception import TakenApart, has_own_constructor


def pack_exception(error: BaseException) -> bytes:
    """Return the exception as bytes; never raises."""
    name, text, trace = class_name(type(error)), text_of(error), trace_of(error)
    return pickle.dumps((name, text, trace, _dump_checked(error)), 5)


def _dump_checked(error: BaseException) -> bytes:
    try:
        data = dump_answer(TakenApart(error) if has_own_constructor(type(error)) else error)
        # Its type: an object may claim any class.
        return data if issubclass(type(load(data)), BaseException) else b""
    except BaseException:
        # User code ran in __reduce__ or __init__: whatever it raised, even
        # SystemExit, the text still travels.
        return b""
