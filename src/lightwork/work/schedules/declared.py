"""Declared: what a store is to keep of the schedules of tasks, and what it is to forget. Pure."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, Protocol

from lightwork.bounds.keys import filled_limits, unique_key
from lightwork.codec import Codec, Subject
from lightwork.model import NewSchedule
from lightwork.store.views import ScheduleView, WorkerView
from lightwork.tasks.task import Task

_CODE: Final = "code"


class Code(Protocol):
    """What a program's modules say; work/catalog.py knows it."""

    def declared(self, name: str) -> Task[..., Any] | None:
        """Return the task that stands in its module under its name, if there is one."""

    def owns(self, name: str) -> bool:
        """Whether the task's module is one that this program speaks for."""


def new_schedule(task: Task[..., Any]) -> NewSchedule:
    """Return what a store keeps of a task with a schedule, which is called without arguments."""
    schedule = task.schedule
    assert schedule is not None, "the caller has looked"
    subject, codec = Subject(uuid.UUID(int=0), task.name), Codec()
    return NewSchedule(
        name=task.name,
        task=task.name,
        spec=schedule.spec,
        tz=schedule.tz,
        catch_up=schedule.catch_up,
        policy=task.policy,
        payload=codec.encode_call(subject, (), {}),
        unique=unique_key(task, (), {}, digest=codec.payload_digest),
        limits=filled_limits(task, (), {}),
        is_code=True,
    )


def forgotten(
    kept: Iterable[ScheduleView],
    *,
    declared: Collection[str],
    code: Code,
    others: Iterable[WorkerView],
) -> Iterator[str]:
    """Yield the names of schedules that were declared in code once, and are no more.

    Args:
        kept: Those of the store.
        declared: Names of those that this program declares.
        code: What its modules say.
        others: The other workers.
    """
    live = [worker for worker in others if worker.is_live]
    for view in kept:
        if view.origin != _CODE or view.name in declared:
            continue
        found = code.declared(view.task)
        if found is not None:
            if found.schedule is None:
                yield view.name
        elif code.owns(view.task) and not any(worker.knows(view.task) for worker in live):
            yield view.name
