"""Cloudpickling: cloudpickle, with what its version 3.1.3 gets wrong put right.

- It leaves out the names of source files, without which tracebacks show no lines.
- It copies the marks of dataclasses (MISSING and others), which are compared by
  identity: a dataclass of the main program then seems to have defaults everywhere.
- It copies a msgspec Struct without its fields (structs.py).
- It cannot copy cached functions and the like, nor slots (parts.py).

Three ways, which differ in what becomes of names that the other side knows already:

    dump_for_store     for a store: each pickle is a world of its own, today and in a year
    dump_for_child     to a child: functions of the main program share one namespace there, and
                       it takes what was bound anew since it took it last (bindings.py)
    dump_answer        back from a child: a class that is known here stays as it is
"""

import dataclasses
import io
import types
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import cloudpickle
import cloudpickle.cloudpickle as origin
from cloudpickle.cloudpickle import _should_pickle_by_reference

from lightwork.by_value.bindings import Tokens, is_of_main, sent, taken
from lightwork.by_value.parts import REDUCERS, with_slots

_reduce: Callable[[types.CodeType], tuple[Any, ...]] = cloudpickle.Pickler.dispatch_table[
    types.CodeType
]


IsPart = Callable[[Any], object]


def dump_for_store(value: object) -> bytes:
    """Return the value as bytes, with the functions in it that cannot be imported."""
    return _dump(_Pickler, value)


def dump_for_child(
    value: object,
    is_part: IsPart | None = None,
    reducers: Mapping[type, Callable[[Any], Any]] | None = None,
) -> bytes:
    """Do the same for a child of this process, and for nobody else."""
    return _dump(_PicklerForChild, value, is_part, reducers)


def dump_answer(value: object, is_part: IsPart | None = None) -> bytes:
    """Do the same in a child, for the process that it belongs to."""
    return _dump(_PicklerOfAnswers, value, is_part)


def _dump(
    kind: type[Any],
    value: object,
    is_part: IsPart | None = None,
    reducers: Mapping[type, Callable[[Any], Any]] | None = None,
) -> bytes:
    file = io.BytesIO()
    pickler: Any = kind.__new__(kind)  # type: ignore[call-overload]
    if reducers:
        # Before it is made: the pickler looks at it then, and never again.
        pickler.dispatch_table = ChainMap(dict(reducers), _Pickler.dispatch_table)
    pickler.__init__(file, 5, buffer_callback=is_part)
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


# How cloudpickle rebuilds a class or a function: what makes it and with what, its state,
# two that are for containers, and what sets the state.
_Steps = tuple[Callable[..., Any], tuple[Any, ...], Any, None, None, Callable[[Any, Any], Any]]
_STEPS: Final = 6
_override: Callable[[Any, Any], Any] = cloudpickle.Pickler.reducer_override


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap(
        {types.CodeType: _reduce_code, **REDUCERS, **dict.fromkeys(_MARKS, _name_of_mark)},
        cloudpickle.Pickler.dispatch_table,
    )

    def reducer_override(self, value: Any) -> Any:
        """Return how the value is pickled, if not in the usual way."""
        # First what costs nothing: asked for every object, all of which are pickled at each submit.
        if not isinstance(value, type):
            is_known = type(value) is types.FunctionType and value in _importable
            return NotImplemented if is_known else _override(self, value)
        if _is_struct(value) and not _should_pickle_by_reference(value):
            from lightwork.by_value.structs import reduce_struct  # noqa: PLC0415 - see above

            return self._reduce_class(value, reduce_struct(value))
        reduced = _override(self, value)
        is_by_value = type(reduced) is tuple and len(reduced) == _STEPS
        return self._reduce_class(value, with_slots(value, reduced)) if is_by_value else reduced

    def _reduce_class(self, _: type, steps: _Steps) -> tuple[Any, ...]:
        return steps


class _PicklerOfAnswers(_Pickler):
    def _reduce_class(self, cls: type, steps: _Steps) -> tuple[Any, ...]:
        return _class_steps(cls, steps, None)


class _PicklerForChild(_PicklerOfAnswers):
    def _reduce_class(self, cls: type, steps: _Steps) -> tuple[Any, ...]:
        return _class_steps(cls, steps, sent.of_class(cls, _attributes(steps[2])))

    def _dynamic_function_reduce(self, fn: types.FunctionType) -> tuple[Any, ...]:
        reduced: _Steps = super()._dynamic_function_reduce(fn)
        if not is_of_main(fn.__globals__):
            return reduced
        _, args, (state, slots), *_ = reduced
        tokens = sent.of_globals(slots["__globals__"])
        return _make_function, args, (state, slots, tokens), None, None, _set_function


def _class_steps(cls: type, steps: _Steps, tokens: Tokens | None) -> tuple[Any, ...]:
    make, args, state, _, _, set_state = steps
    made = (origin._get_or_create_tracker_id(cls), make, args)
    return _make_class, made, (set_state, state, tokens), None, None, _set_class


def _attributes(state: Any) -> dict[str, Any]:
    """Return the attributes in a class's state; cloudpickle's has an empty part behind them."""
    found: dict[str, Any] = state[0] if isinstance(state, tuple) else state
    return found


# --- where it is loaded, by functions that are found there without a search


def _make_class(identity: str, make: Callable[..., type], args: tuple[Any, ...]) -> type:
    known: type | None = origin._DYNAMIC_CLASS_TRACKER_BY_ID.get(identity)
    if known is not None:
        return known
    made = make(*args)
    taken.begin_class(made)
    return made


def _set_class(cls: type, state: tuple[Callable[[type, Any], Any], Any, Tokens | None]) -> None:
    set_state, origin_state, tokens = state
    attributes = _attributes(origin_state)
    fresh = taken.fresh_attributes(cls, attributes, tokens)
    attributes.clear()
    attributes.update(fresh)
    set_state(cls, origin_state)


def _make_function(code: types.CodeType, module: dict[str, Any], *rest: Any) -> types.FunctionType:
    for name, value in module.items():
        taken.globals.setdefault(name, value)
    made: types.FunctionType = origin._make_function(code, taken.globals, *rest)
    return made


def _set_function(fn: types.FunctionType, state: tuple[Any, dict[str, Any], Tokens]) -> None:
    attributes, slots, tokens = state
    slots["__globals__"] = taken.fresh_globals(slots["__globals__"], tokens)
    origin._function_setstate(fn, (attributes, slots))


_importable: Final = frozenset(
    step
    for step in (*vars(origin).values(), *globals().values())
    if type(step) is types.FunctionType
)
