"""Bindings: what the names of the main program stand for, here and in children.

Functions and classes of the main script travel by value, again and again, and a child
is to behave as if it had imported them once: all of them share one namespace, and what
they do to it stays. What the *program* binds anew meanwhile (a notebook defines a function
again, a setting is changed) must arrive all the same.

    program                                   child
      name, value, token  ──── pickle ────>     token newer than the one taken last: take the
      a new token when the value is             value; else keep what the child has made of it
      another one, or was changed in place,
      since it was sent last

So a child never loses what its initializer has set, and never misses what the program sets.
The same holds for the attributes of a class. Tokens grow: a pickle that was made earlier
and is loaded later takes nothing back.

`Sent.lock` guards `_names`, `_classes` and `epoch`; no foreign code runs under it. Nothing
here keeps a value alive but small constants.
"""

import functools
import io
import itertools
import os
import pickle
import sys
import threading
import types
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

# Compared as objects. Whatever else is compared by what it holds, too.
_BY_IDENTITY: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    functools._lru_cache_wrapper,
    types.ModuleType,
    type,
)
_NUMBERS: Final = frozenset({int, float, complex, bool, types.NoneType})
_TEXTS: Final = frozenset({str, bytes})
# Longer ones are hashed: nothing large is kept alive here.
_KEPT_TEXT: Final = 256
_OPAQUE: Final = (property, classmethod, staticmethod)

# What a name stood for when it was sent, comparable: a weak reference or a tuple.
Mark = object
Tokens = dict[str, int]


class Sent:
    """What this process has sent of its main program, and under which tokens."""

    def __init__(self) -> None:
        # Another object each time that a name got a new token: what was pickled before
        # may say less than a child knows by now.
        self.epoch: object = object()
        # Reentrant: the garbage collector may submit inside of it.
        self.lock = threading.RLock()
        self._tokens = itertools.count(1)
        self._names: dict[str, tuple[Mark, int]] = {}
        self._classes: WeakKeyDictionary[type, dict[str, tuple[Mark, int]]] = WeakKeyDictionary()

    def of_globals(self, values: Mapping[str, Any]) -> Tokens:
        """Return the tokens of these globals."""
        marks = {name: _mark(value) for name, value in values.items()}
        with self.lock:
            return {name: self._token(self._names, name, mark) for name, mark in marks.items()}

    def of_class(self, cls: type, names: Mapping[str, Any]) -> Tokens:
        """Return the tokens of these attributes of a class."""
        own = vars(cls)
        marks = {name: _attribute_mark(name, own.get(name)) for name in names}
        with self.lock:
            known = self._classes.setdefault(cls, {})
            return {name: self._token(known, name, mark) for name, mark in marks.items()}

    def _token(self, known: dict[str, tuple[Mark, int]], name: str, mark: Mark) -> int:
        found = known.get(name)
        if found is not None:
            last, token = found
            # A weak reference is one object as long as anybody holds it.
            if last is mark or (type(mark) is tuple and last == mark):
                return token
            self.epoch = object()
        token = next(self._tokens)
        known[name] = (mark, token)
        return token


class Taken:
    """What this process has received of a main program; used by the thread that loads."""

    def __init__(self) -> None:
        # The namespace of all functions that came from a main program.
        self.globals: dict[str, Any] = {}
        self._names: Tokens = {}
        # Classes that were made here from what was received. Any other known class is
        # this process's own, which nobody else may change.
        self._classes: WeakKeyDictionary[type, Tokens] = WeakKeyDictionary()

    def fresh_globals(self, values: dict[str, Any], tokens: Tokens) -> dict[str, Any]:
        """Return those that are newer than what is here."""
        return _fresh(self._names, values, tokens)

    def begin_class(self, cls: type) -> None:
        """Note that the class was made here, without its attributes yet."""
        self._classes[cls] = {}

    def fresh_attributes(
        self, cls: type, values: dict[str, Any], tokens: Tokens | None
    ) -> dict[str, Any]:
        """Return those to be set; without tokens all of them, once."""
        known = self._classes.get(cls)
        if known is None or (tokens is None and known):
            return {}
        return _fresh(known, values, dict.fromkeys(values, 0) if tokens is None else tokens)


def is_of_main(namespace: Mapping[str, Any]) -> bool:
    """Whether these are the globals of the main program: of this process, or of whoever sent it."""
    main = sys.modules.get("__main__")
    return namespace is taken.globals or (main is not None and namespace is vars(main))


def _fresh(known: Tokens, values: dict[str, Any], tokens: Tokens) -> dict[str, Any]:
    newer = {name: token for name, token in tokens.items() if token > known.get(name, -1)}
    known.update(newer)
    return {name: values[name] for name in newer if name in values}


def _mark(value: Any) -> Mark:
    if isinstance(value, types.FunctionType) and (value.__closure__ or value.__dict__):
        # What a decorator keeps there: a registry, above all.
        held = [*map(_content, value.__closure__ or ()), *value.__dict__.values()]
        return ref(value), *((id(one), _digest(one, _Digester)) for one in held)
    if isinstance(value, _BY_IDENTITY):
        return ref(value)
    kind = type(value)
    # Where a constant lies tells nothing: another may have got the place of one that is gone.
    if kind in _NUMBERS:
        # As text: 0.0 is not -0.0.
        return kind, repr(value)
    if kind in _TEXTS:
        return kind, value if len(value) <= _KEPT_TEXT else _digest(value, _Digester)
    return id(value), _digest(value, _Digester)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # Not bound yet.


def _attribute_mark(name: str, value: object) -> Mark:
    # Those of Python itself are made with the class and replaced, if at all.
    if isinstance(value, _OPAQUE) or (name.startswith("__") and name.endswith("__")):
        return id(value), b""
    return _mark(value)


def digest_of_data(value: object) -> bytes:
    """Return 16 bytes that say what numbers, text and containers of them are in it.

    None of them (b"") if it holds anything else.
    """
    return _digest(value, _DataDigester)


def _digest(value: object, kind: type[pickle.Pickler]) -> bytes:
    stream = _Stream()
    try:
        kind(stream, 5).dump(value)
    except Exception:  # Whatever a foreign `__reduce__` raised: then it is known by its place.
        return b""
    return stream.hash.digest()


class _Stream(io.RawIOBase):
    """Hashes what is written: a large array is not copied to learn whether it was changed."""

    def __init__(self) -> None:
        # 3 ms to import, and only for what goes by value.
        import hashlib  # noqa: PLC0415 - see above

        self.hash = hashlib.blake2b(digest_size=16)
        self.write = self.hash.update  # type: ignore[method-assign]


class _Digester(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Tell functions and classes by who they are: the name may stand for another tomorrow."""
        # But for `int`, by which the others are told.
        if isinstance(value, _BY_IDENTITY) and value is not int:
            number = _numbers.get(value)
            if number is None:
                number = _numbers.setdefault(value, next(_counter))
            return int, (number,)
        return NotImplemented


class _DataDigester(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Refuse; not asked about what is built in."""
        raise TypeError(value)


_counter: Final = itertools.count(1)
_numbers: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()
sent: Final = Sent()
taken: Final = Taken()


def _be_forked() -> None:
    # Whoever held it does not exist here.
    sent.lock = threading.RLock()


os.register_at_fork(after_in_child=_be_forked)
