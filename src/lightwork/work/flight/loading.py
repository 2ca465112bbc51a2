"""Loading: how a runner travels, so that a task that cannot be loaded is nobody's failure.

What it consists of is pickled apart. So the child has a runner's name in its hands before it imports the
task's module, and whatever that raises is one kind of error: a deploy replaces files one by one, and
for a moment a module is absent, or half of it is there. The attempt goes back unused, and its task
rests in this worker (resting.py). The child is replaced (pool/wire/function_cache.py): half a
module stays half for as long as its process lives.
"""

from typing import Any

from lightwork.error_text import named_text_of
from lightwork.pool.wire.function_cache import FunctionNotLoaded
from lightwork.pool.wire.pickling import dump, load


class TaskNotLoaded(FunctionNotLoaded):
    """A child could not load a task, or what belongs to it.

    Attributes:
        task: Its name, as rows have it.
        error: What loading it raised, in words.
    """

    def __init__(self, task: str, error: str) -> None:
        super().__init__(task, error)
        self.task = task
        self.error = error

    def __str__(self) -> str:
        return f"{self.task} cannot be loaded: {self.error}"


def taken_apart(runner: Any) -> tuple[Any, ...]:
    """Return how a runner is pickled: its class, its task's name, and the rest as bytes."""
    return _load, (type(runner), runner.name, dump(vars(runner)))


def _load(kind: Any, task: str, data: bytes) -> Any:
    made = kind.__new__(kind)
    try:
        vars(made).update(load(data))
    except BaseException as error:
        # A module that ends the program, as a script does, is not loaded either.
        raise TaskNotLoaded(task, named_text_of(error)) from error
    return made
