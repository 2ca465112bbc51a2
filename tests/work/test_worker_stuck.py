"""A worker whose loop hangs in a call of the store: it begins anew once, and then ends."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.work import service
from lightwork.work.service import Worker, WorkerStuck
from waiting import wait_until
from work.jobs import TASKS, note, submit, wait_for


class HangingStore:
    """A store some of whose claims never return, until the test lets them."""

    def __init__(self, store: Store, hangs: int) -> None:
        self._store = store
        self._hangs = hangs
        self.hung = 0
        self.leave_it = threading.Event()

    def claim(self, *args: Any, **options: Any) -> Any:
        if self._hangs > 0:
            self._hangs -= 1
            self.hung += 1
            self.leave_it.wait(60)
        return self._store.claim(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def hanging(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Any]]:
    # An idle loop turns once a second.
    monkeypatch.setattr(service, "STUCK_SECONDS", 4.0)
    made: list[HangingStore] = []

    def make(hangs: int) -> Any:
        made.append(HangingStore(store, hangs))
        return made[-1]

    yield make
    for one in made:
        one.leave_it.set()


def test_a_loop_that_hangs_is_given_up_and_another_does_its_work(
    store: Store, hanging: Callable[[int], Any], caplog: pytest.LogCaptureFixture
) -> None:
    job_id, hung = submit(store, note, 7), hanging(1)
    worker = Worker(hung, executor="threads:1", tasks=TASKS, lease=0.5)
    worker.start()

    wait_for(store, job_id, State.SUCCEEDED)
    hung.leave_it.set()
    worker.stop()
    worker.join()

    assert hung.hung == 1
    assert [text for text in caplog.messages if text.startswith("worker_stuck")] == [
        "worker_stuck seconds=4 restarts=0"
    ]
    view = store.job(job_id)
    assert view is not None
    assert view.state is State.SUCCEEDED
    assert store.check() == []


def test_what_the_hung_loop_claims_after_all_is_run_by_others(
    store: Store, hanging: Callable[[int], Any]
) -> None:
    hung = hanging(1)
    worker = Worker(hung, executor="threads:1", tasks=TASKS, lease=0.5)
    first = submit(store, note, 1)
    worker.start()
    wait_for(store, first, State.SUCCEEDED)

    ids = [submit(store, note, number) for number in range(5)]
    hung.leave_it.set()

    for job_id in ids:
        wait_for(store, job_id, State.SUCCEEDED)
    worker.stop()
    worker.join()


def test_a_worker_that_hangs_again_ends_and_says_so(
    store: Store, hanging: Callable[[int], Any]
) -> None:
    submit(store, note, 7)
    hung, failed = hanging(2), list[BaseException]()
    worker = Worker(hung, executor="threads:1", tasks=TASKS, lease=0.5, on_failed=failed.append)
    worker.start()

    wait_until(lambda: failed, "it has ended")

    with pytest.raises(WorkerStuck, match="hung twice"):
        worker.join()
    hung.leave_it.set()
