"""Called: by which name people know what a call runs."""

from functools import partial
from typing import Any, Final

from lightwork.pool.bundle import run_bundle, run_star_bundle
from lightwork.pool.chunk import run_chunk, run_star_chunk

# They call the function that is their first argument (travel.py).
_OF_MAPS: Final = (run_chunk, run_star_chunk, run_bundle, run_star_bundle)


def name_of(fn: Any) -> str:
    """Return the qualified name of the function that is called in the end, in one line."""
    while isinstance(fn, partial):
        fn = fn.args[0] if fn.func in _OF_MAPS else fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__)).replace("\n", " ")
