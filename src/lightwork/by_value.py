"""By value: cloudpickle, with what its version 3.1.3 gets wrong put right.

- It leaves out the names of source files, without which tracebacks show no lines.
- It copies the marks of dataclasses (MISSING and others), which are compared by
  identity: a dataclass of the main program then seems to have defaults everywhere.
- It copies a msgspec Struct without its fields (struct_by_value.py).
- It cannot copy cached functions and the like, nor slots (parts_by_value.py).
"""

import dataclasses
import io
import types
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import cloudpickle
from cloudpickle.cloudpickle import _should_pickle_by_reference

from lightwork.parts_by_value import REDUCERS, with_slots

_reduce: Callable[[types.CodeType], tuple[Any, ...]] = cloudpickle.Pickler.dispatch_table[
    types.CodeType
]


def dump_by_value(
    value: object,
    is_part: Callable[[Any], object] | None = None,
    reducers: Mapping[type, Callable[[Any], Any]] | None = None,
) -> bytes:
    """Return the value as bytes, with the functions in it that cannot be imported."""
    file = io.BytesIO()
    pickler: Any = _Pickler(file, 5, buffer_callback=is_part)
    if reducers:
        pickler.dispatch_table = ChainMap(dict(reducers), _Pickler.dispatch_table)
    pickler.dump(value)
    return file.getvalue()


def _reduce_code(code: types.CodeType) -> tuple[Any, ...]:
    # A string of its own: whether two are one object must not show in the bytes.
    return _rebuild_code, ("".join(code.co_filename), *_reduce(code))


def _rebuild_code(
    filename: str, build: Callable[..., types.CodeType], args: tuple[Any, ...]
) -> types.CodeType:
    return build(*args).replace(co_filename=filename)


def _name_of_mark(mark: object) -> str:
    # pickle finds it by this name in the module of its class.
    return _MARKS[type(mark)]


_MARKS: Final = {
    type(dataclasses.MISSING): "MISSING",
    type(dataclasses.KW_ONLY): "KW_ONLY",
    type(dataclasses._HAS_DEFAULT_FACTORY): "_HAS_DEFAULT_FACTORY",  # type: ignore[attr-defined]
}


def _is_struct(value: Any) -> bool:
    # By name: a program without msgspec has none, and need not import it.
    kind = type(value)
    return kind.__name__ == "StructMeta" and kind.__module__ == "msgspec._core"


_override: Callable[[Any, Any], Any] = cloudpickle.Pickler.reducer_override


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap(
        {types.CodeType: _reduce_code, **REDUCERS, **dict.fromkeys(_MARKS, _name_of_mark)},
        cloudpickle.Pickler.dispatch_table,
    )

    def reducer_override(self, value: Any) -> Any:
        """Return how the value is pickled, if not in the usual way."""
        # First what costs nothing: asked for every object, all of which are pickled at each submit.
        if isinstance(value, type) and _is_struct(value) and not _should_pickle_by_reference(value):
            from lightwork.struct_by_value import reduce_struct  # noqa: PLC0415 - see above

            return reduce_struct(value)
        reduced = _override(self, value)
        is_by_value = isinstance(value, type) and type(reduced) is tuple
        return with_slots(value, reduced) if is_by_value else reduced
