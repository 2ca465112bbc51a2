"""What is wrong with a store, judged from what was read of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from lightwork.cli.status.health import problems
from lightwork.model import ANY_TASK, State
from lightwork.store.views import NOT_POLLING, LaneView, Summary, WorkerView

URL = "sqlite:////tmp/work.db"
START = f"lightwork worker {URL} -m mail -q mail"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def summary(
    *, ready: int = 0, running: int = 0, oldest: float = 0.0, live: int = 0, slots: int = 0
) -> Summary:
    states = dict.fromkeys(State, 0) | {State.READY: ready, State.RUNNING: running}
    return Summary(
        states=states,
        queues={"mail": states},
        lanes=lanes(ready, oldest),
        oldest_ready=oldest,
        live_workers=live,
        slots=slots,
    )


def lanes(ready: int, waited: float) -> tuple[LaneView, ...]:
    found = LaneView(queue="mail", task="mail:send", ready=ready, waited=waited)
    return (found,) if ready else ()


def worker(
    *,
    queue: str = "mail",
    task: str = "mail:send",
    is_live: bool = True,
    running: int = 0,
    state: str = "up",
) -> WorkerView:
    return WorkerView(
        id=UUID(int=1),
        name="ada",
        host="here",
        pid=1,
        slots=4,
        queues=(queue,),
        tasks=(task,),
        state=state,
        started_at=NOW,
        heartbeat_at=NOW,
        lease_until=NOW + timedelta(seconds=15),
        is_live=is_live,
        running=running,
    )


def test_work_in_progress_is_healthy() -> None:
    found = problems(
        summary(ready=900, running=4, oldest=3600.0, live=1, slots=4),
        [worker(running=4)],
        next_due_in=0.0,
        url=URL,
    )

    assert found == []


def test_what_the_limit_of_its_queue_holds_back_is_no_illness() -> None:
    seen = replace(summary(ready=9, running=1, oldest=3600.0, live=1, slots=4), limits={"mail": 1})

    assert problems(seen, [worker(running=1)], next_due_in=None, url=URL) == []


@pytest.mark.parametrize(
    ("seen", "workers", "due", "words"),
    [
        (
            summary(ready=2),
            [],
            None,
            f"2 jobs are ready, but no worker is alive; start one: lightwork worker {URL} -m ",
        ),
        (summary(), [], 0.0, "scheduled jobs or schedules are due, but no worker is alive"),
        (
            summary(ready=1, live=1, slots=4),
            [worker(queue="other")],
            None,
            "1 job is ready in queue 'mail', which no live worker serves",
        ),
        (
            summary(ready=1, running=3, oldest=60.1, live=1, slots=4),
            [worker(running=3)],
            None,
            "the oldest ready job has waited 60 s beside 1 free slots",
        ),
        (
            summary(ready=12, oldest=2.1, live=1, slots=4),
            [worker(task="letter:sort"), worker(queue="other"), worker(is_live=False)],
            None,
            f"12 ready jobs of mail:send: no live worker knows this task; start one: {START}",
        ),
        (
            summary(ready=12, oldest=2.1, live=1, slots=4),
            [worker(task="mail:sort")],
            None,
            (
                "12 ready jobs of mail:send: no live worker knows this task, though one knows others "
                "of its module; if it is a plain function, start one with --allow: "
                f"lightwork worker {URL} --allow mail -q mail; if it is new there, "
            ),
        ),
        (
            # Among free slots, and not the workers' fault.
            summary(ready=1, oldest=999.0, live=1, slots=4),
            [worker(task="mail:sort")],
            None,
            "1 ready job of mail:send: no live worker knows this task",
        ),
        (
            summary(live=2, slots=8),
            [worker(), worker(state=NOT_POLLING)],
            None,
            "ada lives and does not poll: heartbeats come, and nobody asks for work",
        ),
        (
            # Told once.
            summary(ready=1, oldest=60.1, live=1, slots=4),
            [worker(state=NOT_POLLING)],
            None,
            "ada lives and does not poll",
        ),
        (
            summary(running=2, live=1, slots=4),
            [worker(), worker(is_live=False, running=2)],
            None,
            "worker ada stopped renewing its lease and holds 2 running jobs",
        ),
    ],
)
def test_work_that_nobody_does_is_told(
    seen: Summary, workers: list[WorkerView], due: float | None, words: str
) -> None:
    (found,) = problems(seen, workers, next_due_in=due, url=URL)

    assert found.startswith(words)


@pytest.mark.parametrize(
    ("seen", "workers", "due"),
    [
        (summary(), [], 0.1),
        (summary(), [worker(is_live=False)], None),
        (summary(ready=1, oldest=60.0, live=1, slots=4), [worker()], None),
        (summary(ready=1, running=4, oldest=999.0, live=1, slots=4), [worker(running=4)], None),
        (summary(ready=1, oldest=1.9, live=1, slots=4), [worker(task="mail:sort")], None),
        (summary(ready=1, oldest=9.0, live=1, slots=4), [worker(task=ANY_TASK)], None),
    ],
    ids=[
        "not yet due",
        "dead and idle",
        "not long",
        "all slots busy",
        "perhaps not looked at yet",
        "knows many tasks",
    ],
)
def test_what_only_looks_wrong_is_healthy(
    seen: Summary, workers: list[WorkerView], due: float | None
) -> None:
    found = problems(seen, workers, next_due_in=due, url=URL)

    assert found == []
