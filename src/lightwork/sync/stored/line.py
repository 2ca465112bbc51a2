"""Line: what one thread asks, one after the other, as a store knows it.

Whatever interrupts a thread (a Ctrl-C, a store out of reach), what it has asked is taken back before it asks anything
else, and what was granted by then is given back: nobody holds what nobody knows of. If that cannot be
done at once, it is done after one of the next renewals.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lightwork.machines.shapes import Plain
from lightwork.store.contracts.primitives import Request

Undo = Callable[[Plain], tuple[str, tuple[Plain, ...]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what gives back what it is answered; None: nothing need be given back."""

    request: Request
    undo: Undo | None


class Line:
    """One thread.

    Attributes:
        number: What the store calls it.
        lock: Held while it asks, or while what it has left is taken back.
        is_asking: It is in the middle of a question.
        gives_up_at: When it has waited long enough for the store, by the local clock.
        unsettled: What it has asked, until that is known to be answered or taken back.

    Args:
        free: Numbers of threads that have ended: this one's too, once it has.
    """

    def __init__(self, number: int, free: list[int]) -> None:
        self.number = number
        # Reentrant: a Ctrl-C between its taking and the `with` must not stop its own thread.
        self.lock = threading.RLock()
        self.is_asking = False
        self.gives_up_at = float("inf")
        self.unsettled: Asked | None = None
        self._free = free

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask in the block; nobody else takes anything back meanwhile."""
        with self.lock:
            self.is_asking = True
            try:
                yield
            finally:
                self.is_asking = False

    def __del__(self) -> None:
        self._free.append(self.number)
