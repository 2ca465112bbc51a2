"""Shapes: what each method takes and returns on the wire, read from the contract's own signatures.

A request is a Struct with the parameters of the method as its fields; who sends one that there is not is
told so. A dict that a method fills for its caller is asked for by a truth in the request, and comes back
beside the result. What travels in a form of its own (forms.py) says so in `_SPECIAL`.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, Progress, WorkerInfo
from lightwork.net.wire import forms
from lightwork.store.contract import Store

_LISTS: Final = (Iterable, Sequence)
_COLLECTIONS: Final = (list, tuple)


@dataclass(frozen=True, slots=True)
class Special:
    """What of a method travels otherwise than the contract has it.

    Attributes:
        parameters: The types on the wire, by name; None: it stays where it is.
        result: The type on the wire.
        pack: Makes the wire's values of the contract's, in the client.
        perform: Calls the store with the wire's values, and returns the wire's result.
        unpack: Makes the contract's result of the wire's and the values as they were given.
    """

    parameters: Mapping[str, Any]
    result: Any
    pack: Callable[[dict[str, Any]], dict[str, Any]]
    perform: Callable[[Store, dict[str, Any]], Any]
    unpack: Callable[[Any, Mapping[str, Any]], Any] = lambda answer, _given: answer


@dataclass(frozen=True, slots=True)
class Shape:
    """One method on the wire.

    Attributes:
        request: The Struct of its parameters.
        result: The type of what comes back.
        positional: The parameters that are given by place.
        lists: Those that may be anything to go through, and travel as lists.
        told: Those that are dicts of the caller's, to be filled.
        special: What of it travels otherwise; None: nothing.
    """

    name: str
    request: type[msgspec.Struct]
    result: Any
    positional: tuple[str, ...]
    lists: frozenset[str]
    told: tuple[str, ...]
    special: Special | None

    def request_of(self, given: dict[str, Any]) -> msgspec.Struct:
        """Return the request that says what was given to the method, by name."""
        values = dict(given) if self.special is None else self.special.pack(given)
        for name in self.told:
            values[name] = given.get(name) is not None
        for name in self.lists & values.keys():
            if not isinstance(values[name], _COLLECTIONS):
                values[name] = list(values[name])
        return self.request(**values)

    def perform(self, store: Store, request: msgspec.Struct) -> Any:
        """Call the method of a store; return what goes back."""
        values = {name: getattr(request, name) for name in self.request.__struct_fields__}
        if self.special is not None:
            return self.special.perform(store, values)
        filled: dict[str, dict[Any, Any]] = {name: {} for name in self.told if values.pop(name)}
        by_place = [values.pop(name) for name in self.positional]
        result = getattr(store, self.name)(*by_place, **values, **filled)
        return self.result(result=result, **filled) if self.told else result

    def result_of(self, answer: Any, given: Mapping[str, Any]) -> Any:
        """Return what the method returns, of what has come back."""
        for name in self.told:
            if (filled := given.get(name)) is not None:
                filled.update(getattr(answer, name))
        if self.told:
            return answer.result
        return answer if self.special is None else self.special.unpack(answer, given)


@functools.cache
def shape_of(name: str) -> Shape:
    """Return the shape of a method."""
    method = getattr(Store, name)
    special = _SPECIAL.get(name)
    hints = typing.get_type_hints(method)
    result = _listed(hints.pop("return"))
    hints |= special.parameters if special is not None else {}
    parameters = [
        one
        for one in list(inspect.signature(method).parameters.values())[1:]
        if hints[one.name] is not None
    ]
    filled = {one.name: kind for one in parameters if (kind := _filled(hints[one.name]))}
    fields = [
        (one.name, bool, False) if one.name in filled else _field(one, hints[one.name])
        for one in parameters
    ]
    title = "".join(word.title() for word in name.split("_"))
    if special is not None:
        result = special.result
    elif filled:
        told: list[tuple[str, Any, Any]] = [
            (one, kind, msgspec.field(default_factory=dict)) for one, kind in filled.items()
        ]
        result = msgspec.defstruct(f"{title}Result", [("result", result), *told], frozen=True)
    return Shape(
        name=name,
        request=msgspec.defstruct(
            f"{title}Request",
            fields,
            forbid_unknown_fields=True,
            # An older server is not asked about what is not said.
            omit_defaults=True,
            kw_only=True,
            frozen=True,
        ),
        result=result,
        positional=tuple(one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD),
        lists=frozenset(one for one, kind, _ in fields if typing.get_origin(kind) is list),
        told=tuple(filled),
        special=special,
    )


def _field(parameter: inspect.Parameter, kind: Any) -> tuple[str, Any, Any]:
    has_default = parameter.default is not parameter.empty
    default = parameter.default if has_default else msgspec.NODEFAULT
    return parameter.name, _listed(kind), default


def _filled(kind: Any) -> Any:
    """Return the type of a dict that the method fills for its caller, None if it is something else."""
    parts = [part for part in typing.get_args(kind) if typing.get_origin(part) is dict]
    return parts[0] if isinstance(kind, types.UnionType) and parts else None


def _listed(kind: Any) -> Any:
    """Return the type with a list in place of whatever can be gone through."""
    if typing.get_origin(kind) in _LISTS:
        return types.GenericAlias(list, typing.get_args(kind))
    return kind


# --- what travels in a form of its own


def _same(given: dict[str, Any]) -> dict[str, Any]:
    return given


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda given: {key: value for key, value in given.items() if key != name}


def _claim(store: Store, values: dict[str, Any]) -> forms.Claimed:
    return forms.claimed(store.claim(values.pop("worker_id"), **values))


def _pack_ack(given: dict[str, Any]) -> dict[str, Any]:
    attempts = forms.named(attempt for attempt, _ in given["ends"])
    ends = [
        (name, forms.end_form(end)) for name, (_, end) in zip(attempts, given["ends"], strict=True)
    ]
    return {
        "worker_id": given["worker_id"],
        "ends": ends,
        "begun": forms.named(given.get("begun", ())),
    }


def _ack(store: Store, values: dict[str, Any]) -> list[int]:
    ends: list[tuple[Attempt, AttemptEnd]] = [
        (forms.attempt_of(name), forms.end_of(end)) for name, end in values["ends"]
    ]
    begun = [forms.attempt_of(name) for name in values["begun"]]
    refused = set(map(id, store.ack(values["worker_id"], ends, begun=begun)))
    return [place for place, (attempt, _) in enumerate(ends) if id(attempt) in refused]


def _refused(places: list[int], given: Mapping[str, Any]) -> list[Attempt]:
    ends = given["ends"]
    return [ends[place][0] for place in places]


def _release_others(store: Store, values: dict[str, Any]) -> int:
    held = [forms.attempt_of(name) for name in values["held"]]
    return store.release_others(values["worker_id"], held=held)


def _pack_held(given: dict[str, Any]) -> dict[str, Any]:
    return given | {"held": forms.named(given["held"])}


def _report_progress(store: Store, values: dict[str, Any]) -> None:
    reports = [(forms.attempt_of(name), progress) for name, progress in values["reports"]]
    store.report_progress(values["worker_id"], reports)


def _pack_reports(given: dict[str, Any]) -> dict[str, Any]:
    reports = given["reports"]
    names = forms.named(attempt for attempt, _ in reports)
    told = [(name, progress) for name, (_, progress) in zip(names, reports, strict=True)]
    return given | {"reports": [(name, _storable(progress)) for name, progress in told]}


def _storable(progress: Progress) -> Progress:
    note = forms.storable(progress.note)
    if note == progress.note:
        return progress
    return Progress(done=progress.done, total=progress.total, note=note, item=progress.item)


def _register(store: Store, values: dict[str, Any]) -> None:
    # Never as one that is here: the process that lives here is the server's.
    worker: WorkerInfo = values["worker"]
    store.register(worker, lease=values["lease"])


_SPECIAL: Final[Mapping[str, Special]] = {
    "claim": Special(
        {}, forms.Claimed, _same, _claim, unpack=lambda answer, _: forms.attempts_of(answer)
    ),
    "ack": Special(
        {"ends": list[tuple[forms.Named, forms.End]], "begun": list[forms.Named]},
        list[int],
        _pack_ack,
        _ack,
        unpack=_refused,
    ),
    "release_others": Special({"held": list[forms.Named]}, int, _pack_held, _release_others),
    "report_progress": Special(
        {"reports": list[tuple[forms.Named, Progress]]},
        None,
        _pack_reports,
        _report_progress,
    ),
    "register": Special({"is_here": None}, None, _without("is_here"), _register),
}
