"""By value: cloudpickle, made to keep the names of source files.

Without them (cloudpickle 3.1.3 leaves them out) tracebacks show no lines.
"""

import io
import types
from collections import ChainMap
from collections.abc import Callable
from typing import Any, ClassVar

import cloudpickle

_reduce: Callable[[types.CodeType], tuple[Any, ...]] = cloudpickle.Pickler.dispatch_table[
    types.CodeType
]


def dump_by_value(value: object, is_part: Callable[[Any], object] | None = None) -> bytes:
    """Return the value as bytes, with the functions in it that cannot be imported."""
    file = io.BytesIO()
    _Pickler(file, 5, buffer_callback=is_part).dump(value)
    return file.getvalue()


def _reduce_code(code: types.CodeType) -> tuple[Any, ...]:
    # A string of its own: whether two are one object must not show in the bytes.
    return _rebuild_code, ("".join(code.co_filename), *_reduce(code))


def _rebuild_code(
    filename: str, build: Callable[..., types.CodeType], args: tuple[Any, ...]
) -> types.CodeType:
    return build(*args).replace(co_filename=filename)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap(
        {types.CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table
    )
