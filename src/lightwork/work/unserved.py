"""Unserved: why nobody will claim a ready job, in words. Pure: it judges what was read.

A job of a task that no worker knows is no failure: it waits for the program or the
release that knows it. But whoever waits for it must hear what it waits for.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Final

from lightwork.command.job import COMMAND
from lightwork.model import DEFAULT_QUEUE, Lane
from lightwork.store.views import WorkerView
from lightwork.tasks.names import is_of_session, origin_of, short_name

# Seconds after which whoever waits is told why. Longer than a worker takes to say that it
# knows a task which it has to look for.
PATIENCE: Final = 2.0
# Characters of a name in a sentence: a row may hold megabytes.
_SHOWN: Final = 200
_PAUSED: Final = "is paused"
NOBODY: Final = "no worker is alive"
NO_COMMANDS: Final = "no live worker of this task's queue runs commands"
NOT_LOADED: Final = "no live worker could load this task"
NOT_THERE: Final = "no live worker knows this task, though one knows others of its module"


def why_unserved(
    lane: Lane, workers: Iterable[WorkerView], paused: AbstractSet[str] = frozenset()
) -> str:
    """Return why no live worker claims from the lane; "": one does; `paused` are queues."""
    if lane.queue in paused:
        return f"the queue {lane.queue!r:.{_SHOWN}} {_PAUSED}"
    live = [worker for worker in workers if worker.claims]
    if not live:
        return NOBODY
    serving = [worker for worker in live if lane.queue in worker.queues]
    if not serving:
        return f"no live worker serves the queue {lane.queue!r}"
    if not any(worker.knows(lane.task) for worker in serving):
        if lane.task == COMMAND:
            return NO_COMMANDS
        has_module = any(_has_module(worker, lane.task) for worker in serving)
        return NOT_THERE if has_module else "no live worker knows this task"
    knowing = [worker for worker in serving if worker.knows(lane.task)]
    if all(lane.task in worker.resting for worker in knowing):
        return f"{NOT_LOADED}: {knowing[0].resting[lane.task]:.{_SHOWN}}"
    return ""


def module_of(task: str) -> str:
    """Return the module in a task's name, bounded."""
    return short_name(task).partition(":")[0][:_SHOWN]


def say_unserved(lane: Lane, ready: int, reason: str, url: str) -> str:
    """Return a sentence for people: what waits, why, and what to do.

    Args:
        lane: Where the jobs wait.
        ready: How many.
        reason: What why_unserved has found.
        url: The store, as a command line would name it.
    """
    jobs = "1 ready job" if ready == 1 else f"{ready} ready jobs"
    return (
        f"{jobs} of {short_name(lane.task):.{_SHOWN}}: {reason}; {_what_to_do(lane, reason, url)}"
    )


def _what_to_do(lane: Lane, reason: str, url: str) -> str:
    if reason.endswith(_PAUSED):
        return f"resume it: lightwork queues resume {lane.queue} {url}"
    if reason.startswith(NOT_LOADED):
        return "they try again within a minute; if the error stays, mend the module, or start them anew"
    if is_of_session(lane.task):
        return (
            "only the session (REPL, notebook) that declared it can run it, with "
            "workers of its own: lw.executor(url, workers=4)"
        )
    module = module_of(lane.task)
    run = "--allow-commands" if lane.task == COMMAND else f"-m {module}"
    queue = "" if lane.queue == DEFAULT_QUEUE else f" -q {lane.queue}"
    if reason == NOT_THERE:
        return (
            f"if it is a plain function, start one with --allow: lightwork worker {url} --allow "
            f"{module}{queue}; if it is new there, start the workers anew"
        )
    origin = PurePath(origin_of(lane.task))
    where = f" in {origin.parent}" if origin.is_absolute() else ""
    return f"start one{where}: lightwork worker {url} {run}{queue}"


def _has_module(worker: WorkerView, task: str) -> bool:
    # Of a script there may be another of the same name.
    start = f"{short_name(task).partition(':')[0]}:"
    return not origin_of(task) and any(known.startswith(start) for known in worker.tasks)
