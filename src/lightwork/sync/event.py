"""Event: a flag to wait for, at every reach."""

from lightwork.sync.host import Host
from lightwork.sync.primitive import Primitive, time_limit


class Event(Primitive):
    """An event as `threading.Event`.

    Args:
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"

    def __init__(self, *, name: str = "", where: str | Host = "processes") -> None:
        self._open(where, "event", name)

    def is_set(self) -> bool:
        """Whether it is set."""
        return bool(self._host.ask(self._place, "is_set"))

    def set(self) -> None:
        """Set it, and wake all who wait."""
        self._host.ask(self._place, "set")

    def clear(self) -> None:
        """Take it back: who waits from now on waits."""
        self._host.ask(self._place, "clear")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most so many seconds; return whether it was."""
        try:
            self._host.ask(self._place, "wait", timeout=time_limit(timeout))
        except TimeoutError:
            return False
        return True

    def __repr__(self) -> str:
        return self._shown("set" if self.is_set() else "unset")
