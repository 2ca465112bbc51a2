"""Target: the function that is measured, and the items of its input."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from lightwork.error_text import text_of, trace_of
from lightwork.errors import Error, UsageError
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.run_coroutine import run_to_end
from lightwork.terminal.modules import find_function
from lightwork.terminal.output import first_line
from lightwork.terminal.values import read_json, read_value
from lightwork.tune.inchild import spread, spread_async

# The order must be the same for all who compare figures.
_SEED: Final = 20


class RaisedOnInput(Error):  # noqa: N818 - as with the errors of errors.py
    """The function raised: the input or the function is at fault, not the measurement.

    Attributes:
        line: Of the input, counted from 1.
    """

    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is measured.

    Attributes:
        name: `module:function`.
        fn: Takes one item.
        items: In shuffled order, see the package's docstring.
        lines: The line of the input that each item stood on.
        is_async: Whether `fn` makes coroutines.
    """

    name: str
    fn: Callable[[Any], Any]
    items: Sequence[Any]
    lines: Sequence[int]
    is_async: bool = False

    def call(self, item: Any) -> Any:
        """Call the function here and return what it returns; a coroutine is run to its end."""
        return run_to_end(self.fn, (item,), {}) if self.is_async else self.fn(item)

    def take(self, count: int) -> list[Any]:
        """Return so many items, from the start again when there are no more."""
        whole, rest = divmod(count, len(self.items))
        return [*self.items] * whole + [*self.items[:rest]]

    def blame(self, position: int, error: BaseException) -> RaisedOnInput:
        """Return what to say when the item at this position of `take` raised."""
        index = position % len(self.items)
        line = self.lines[index]
        raised = RaisedOnInput(
            f"{self.name} raised {type(error).__name__} on line {line} of the input, "
            f"{_short(self.items[index])}; correct the line or the function\n\n"
            f"{trace_of(error).rstrip()}",
            line=line,
        )
        raised.__cause__ = error
        return raised


def say(error: BaseException) -> str:
    """Return an error in one line."""
    text = first_line(text_of(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def load_target(name: str, lines: Iterable[str], *, is_args: bool) -> Target:
    """Import the function and read its items.

    Args:
        name: `module:function`.
        lines: One item each; empty ones are skipped.
        is_args: Each line is a JSON list of arguments.

    Raises:
        UsageError: No such function, or no items.
    """
    fn = find_function(name)
    numbered = [
        (number, _read_item(number, line.rstrip("\r\n"), is_args=is_args))
        for number, line in enumerate(lines, 1)
        if not line.isspace()
    ]
    if not numbered:
        raise UsageError("the input is empty; expected one argument a line")
    random.Random(_SEED).shuffle(numbered)
    is_async = is_coroutine_function(fn)
    return Target(
        name=name,
        fn=partial(spread_async if is_async else spread, fn) if is_args else fn,
        is_async=is_async,
        items=[item for _, item in numbered],
        lines=[number for number, _ in numbered],
    )


def _read_item(number: int, line: str, *, is_args: bool) -> Any:
    where = f"line {number} of the input"
    try:
        item = read_json(line) if is_args else read_value(line)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from error
    if is_args and not isinstance(item, list):
        raise UsageError(f"{where} is not a list of arguments: {_short(line)}")
    return item


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
