"""Dict: values by key that many read and write, at every reach."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from typing import Any, Final, Generic, TypeVar

from lightwork.sync.host import Host, Place
from lightwork.sync.lock import RLock, own_lock
from lightwork.sync.primitive import Primitive
from lightwork.sync.values import dump_key, load_key, values_of

K = TypeVar("K")
V = TypeVar("V")

_PAGE: Final = 1000
_MISSING: Final = object()


class _Items(ItemsView[K, V]):
    """Keys with values, many in one message."""

    _mapping: "Dict[K, V]"

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._entries()


class _Values(ValuesView[V]):
    """Values, many in one message."""

    _mapping: "Dict[Any, V]"

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._entries())


class Dict(Primitive, MutableMapping[K, V], Generic[K, V]):
    """A dict, each of whose steps is whole, in the order in which keys came.

    What is read is a copy: `d["x"].append(1)` changes nothing here. What reads and then writes needs the lock, if all
    who write take it, or `compare_and_set`:

        with d.get_lock():
            d["x"] += 1

    To go through it reads it page by page: what others change meanwhile is there, or not. Values are pickled; in a
    store what is not plain data needs an authkey, as the arguments of jobs do.

    Args:
        entries: What is put into it now, whatever is there already; keys are str, bytes, int, float, bool,
            None, or tuples of these, told apart by type: 1 and 1.0 are two.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        entries: Mapping[K, V] | Iterable[tuple[K, V]] = (),
        *,
        name: str = "",
        where: str | Host = "processes",
    ) -> None:
        self._open(where, "dict", name)
        self.update(entries)

    def _attach(self, host: Host, place: Place, *, is_named: bool) -> None:
        super()._attach(host, place, is_named=is_named)
        self._values = values_of(host, place)
        self._lock = own_lock(self)

    def __getitem__(self, key: K) -> V:
        return self._loaded(self._host.ask(self._place, "get", (dump_key(key),)), key)

    def __setitem__(self, key: K, value: V) -> None:
        self._host.ask(self._place, "set", (dump_key(key), self._values.dump(value)))

    def __delitem__(self, key: K) -> None:
        if not self._host.ask(self._place, "delete", (dump_key(key),)):
            raise KeyError(key)

    def __len__(self) -> int:
        size: Any = self._host.ask(self._place, "len")
        return int(size)

    def __iter__(self) -> Iterator[K]:
        for entry in self._pages("keys"):
            yield load_key(entry[1])

    def __contains__(self, key: object) -> bool:
        return self._host.ask(self._place, "get", (dump_key(key),)) is not None

    def items(self) -> ItemsView[K, V]:
        """Return keys and values; see above for what others change meanwhile."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """Return the values; see above for what others change meanwhile."""
        return _Values(self)

    def setdefault(self, key: K, default: V = None) -> V:  # type: ignore[assignment] # as MutableMapping has it
        """Return the value of a key; `default`, which is then its value, if there was none. One step."""
        added = (dump_key(key), self._values.dump(default))
        answer: Any = self._host.ask(self._place, "add", added)
        is_new, entry = answer
        return default if is_new else self._loaded(entry, key)

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """Take an entry out, and return its value; one step.

        Raises:
            KeyError: There is none, and no default.
        """
        entry = self._host.ask(self._place, "pop", (dump_key(key),))
        if entry is None and default is not _MISSING:
            return default
        return self._loaded(entry, key)

    def popitem(self) -> tuple[K, V]:
        """Take the entry out whose key came last.

        Raises:
            KeyError: It is empty.
        """
        while keys := list(self):
            value = self.pop(keys[-1], _MISSING)
            # Else another was quicker.
            if value is not _MISSING:
                return keys[-1], value
        raise KeyError("popitem(): dictionary is empty")

    def clear(self) -> None:
        """Take all entries out; one step."""
        self._host.ask(self._place, "clear")

    def copy(self) -> dict[K, V]:
        """Return what it has now, as a dict of this program's own."""
        return dict(self.items())

    def compare_and_set(self, key: K, expected: V, new: V) -> bool:
        """Make the value `new` if it equals `expected`, in one step; return whether it was so.

        A key that there is not equals nothing; `setdefault` writes it in one step.
        """
        dumped_key, dumped = dump_key(key), self._values.dump(new)
        entry: Any = self._host.ask(self._place, "get", (dumped_key,))
        while entry is not None and self._loaded(entry, key) == expected:
            version, _ = entry
            answer: Any = self._host.ask(self._place, "swap", (dumped_key, version, dumped))
            is_done, entry = answer
            if is_done:
                return True
        return False

    def get_lock(self) -> RLock:
        """Return the lock of this dict, for whoever wants more than one step to be whole."""
        return self._lock

    def _entries(self) -> Iterator[tuple[K, V]]:
        for _, key, value in self._pages("items"):
            yield load_key(key), self._values.load(value)

    def _pages(self, verb: str) -> Iterator[tuple[Any, ...]]:
        after = 0
        while True:
            page: Any = self._host.ask(self._place, verb, (after, _PAGE))
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def _loaded(self, entry: Any, key: object) -> V:
        if entry is None:
            raise KeyError(key)
        _, data = entry
        value: V = self._values.load(data)
        return value

    def __repr__(self) -> str:
        return self._shown(repr(self.copy()))
