"""Hooks: what the user wants called at the beginning and the end of a thread or child.

Travels as one pickle, so that what initializer and finalizer share is one object
in the child too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from lightwork.pool.call.thread_exit import call_logged, run_endings


class Hooks(NamedTuple):
    """Two functions with their arguments; either may be missing."""

    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    finalizer: Callable[..., object] | None = None
    finalargs: tuple[Any, ...] = ()

    @property
    def are_given(self) -> bool:
        """Whether there is anything to call."""
        return self.initializer is not None or self.finalizer is not None

    def begin(self) -> None:
        """Call the initializer.

        Raises:
            BaseException: Whatever it raised: then this thread or child runs no calls.
        """
        if self.initializer is not None:
            self.initializer(*self.initargs)

    def end(self) -> None:
        """Call the finalizer, then end what belongs to this thread; errors are logged."""
        if self.finalizer is not None:
            call_logged(self.finalizer, self.finalargs)
        run_endings()


def make_hooks(
    initializer: object, initargs: tuple[Any, ...], finalizer: object, finalargs: tuple[Any, ...]
) -> Hooks:
    """Return the checked hooks of an executor.

    Raises:
        TypeError: Something that should be called cannot be.
    """
    for name, function in (("initializer", initializer), ("finalizer", finalizer)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a callable; seen: {function!r}")
    return Hooks(initializer, initargs, finalizer, finalargs)  # type: ignore[arg-type]
