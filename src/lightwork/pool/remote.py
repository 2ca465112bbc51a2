"""Remote: exceptions as they arrive from a child. See capsule.py for why.

Kept apart from capsule.py because a child needs only that half: the error
classes pull in the standard library's process pool, a third of a cold start.
"""

import pickle

# The standard library's own: what shows or reads such a cause knows ours too.
from concurrent.futures.process import _RemoteTraceback

from lightwork.error_text import set_cause
from lightwork.errors import RemoteError
from lightwork.pool.pickling import load


def unpack_exception(data: bytes) -> BaseException:
    """Return the exception, or a RemoteError that stands for it.

    Raises:
        Exception: These are not the bytes of one.
    """
    kind, text, trace, pickled = pickle.loads(data)
    error = _load_checked(pickled)
    if error is None:
        error = RemoteError(
            f"{kind}: {text} (the exception itself could not be sent)",
            error_type=kind,
            error_text=text,
            traceback=trace,
        )
    # Its stub has the wrong type: it holds text.
    set_cause(error, _RemoteTraceback(_quoted(trace)))  # type: ignore[arg-type]
    return error


def _quoted(trace: str) -> str:
    return f'\n"""\n{trace}"""'


def _load_checked(data: bytes) -> BaseException | None:
    if not data:
        return None
    try:
        error = load(data)
    except BaseException:
        return None
    # Its type: an object may claim any class.
    return error if issubclass(type(error), BaseException) else None
