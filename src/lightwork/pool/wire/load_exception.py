"""Load exception: exceptions as they arrive from a child. See dump_exception.py for why.

Kept apart from dump_exception.py because a child needs only that half.
"""

import pickle

from lightwork.error_text import set_cause
from lightwork.errors import RemoteError
from lightwork.imported_late import import_late
from lightwork.pool.wire.pickling import load


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
    set_cause(error, _remote_traceback(trace))
    return error


def _remote_traceback(trace: str) -> BaseException:
    # The standard library's own: what shows or reads such a cause knows ours too. 25 ms to
    # import, so not before there is one.
    import_late("concurrent.futures.process")
    from concurrent.futures.process import _RemoteTraceback  # noqa: PLC0415 - see above

    # Its stub has the wrong type: it holds text.
    return _RemoteTraceback(f'\n"""\n{trace}"""')  # type: ignore[arg-type]


def _load_checked(data: bytes) -> BaseException | None:
    if not data:
        return None
    try:
        error = load(data)
    except BaseException:
        return None
    # Its type: an object may claim any class.
    return error if issubclass(type(error), BaseException) else None
