"""loky's tests of its executor and of its reusable one, which judge crashes and shut-downs."""

import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import Any

import loky
import loky.process_executor
import loky.reusable_executor
import psutil
from private_names import Child, JudgedProcessExecutor

from lightwork.errors import WorkerLost
from lightwork.pool.process.pool import ProcessPool

FOLDER = "."
FILES = ["tests/test_process_executor_spawn.py", "tests/test_reusable_executor.py"]
LEFT_OUT = {
    "TestResizeExecutor": "judges how loky's one executor is made larger and smaller",
    "TestGetReusableExecutor": "judges how loky's one executor is made anew",
    "TestExecutorInitializer": "the same",
    "test_no_crash_max_workers_on_windows": "the same",
    "test_thread_local": "the same",
    "test_sigkill_shutdown_leaks_workers": "its script makes loky's own executor",
    "test_interpreter_shutdown": "the same",
    "test_hang_gh94440": "the same",
    "test_hang_issue39205": "the same",
    "test_child_env_executor": "the same",
    "test_killed_child_with_cancelled_work_items": "looks at loky's own table of calls first, and"
    " leaves half an hour of calls behind",
    "test_max_depth": "looks for a limit of loky's, at twice its depth",
    "test_memory_leak_protection": "patches loky's own measurement",
    "test_reference_cycle_collection": "the same",
    "test_viztracer": "judges a profiler, which is not there",
    "test_feeder_error_hook": "breaks a thread of loky's",
    "test_manager_thread_crash": "the same",
    "test_no_failure_on_large_data_send": "3 GB for one test",
}
DEVIATIONS = {
    "id-args0-PicklingError": "an exit while an argument is pickled arrives as itself",
    "BrokenProcessPool-SystemExit": "an error costs its call and arrives as itself",
    "BrokenProcessPool-UnpicklingError": "the same",
    "test_informative_error_when_fail_at_unpickle": "the same",
    "test_shutdown_with_sys_exit_at_pickle": "an exit while an argument is pickled arrives as itself",
    "WorkerLost-EXIT": "other words: ended with exit status 0",
    "test_exited_child": "the same; and a child that exits costs its call, the pool goes on",
    "test_killed_child": "a killed child costs its call; the pool goes on",
    "test_processes_crash_handling_after_executor_gc": "the same",
    "test_deadlock_kill": "no warning when loky's one executor is made larger",
    "test_call_item_gc_crash_or_exit": "arguments end before the answer goes, so the call whose they"
    " are is blamed, and not the next",
    "test_max_workers_negative": "other words",
    "test_traceback": "the cause is a text of ours, not loky's",
    "test_serialization": "there are no reducers of its own for an executor",
}


class Flags:
    """What loky's tests ask of an executor after its end: holds its pool, not the executor."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool
        # Theirs is broken then, and what their tests have left in it is killed.
        self.is_hurt = False

    @property
    def shutdown(self) -> bool:
        return self._pool._is_closing

    @property
    def broken(self) -> object:
        return self._pool._error or self.is_hurt or None


class HurtChild(Child):
    """A child that tests may hurt, and ask for its end."""

    def __init__(self, pid: int, flags: Flags) -> None:
        super().__init__(pid)
        self._flags = flags

    @property
    def exitcode(self) -> int | None:
        return None if psutil.pid_exists(self.pid) else 0

    def terminate(self) -> None:
        self._flags.is_hurt = True
        os.kill(self.pid, signal.SIGTERM)


def begin(initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    """Begin a child: executors that tests make there are ours too."""
    adapt()
    if initializer:
        initializer(*initargs)


class LokyExecutor(JudgedProcessExecutor):
    """Ours with the arguments and private names of loky's."""

    def __init__(  # noqa: PLR0917 - loky's signature
        self,
        max_workers: int | None = None,
        context: object = None,
        timeout: float | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            max_workers,
            initializer=begin,
            initargs=(initializer, initargs),
            idle_timeout=timeout,
            env=env,
        )
        self._flags = Flags(self._pool)

    def start_call(self, *args: Any) -> Any:
        """Start all children before the first call, as loky does; ours would come one by one."""
        if not self._is_started:
            self.start()
        return super().start_call(*args)

    @property
    def _processes(self) -> dict[int, Child]:  # loky's are found under their pid
        return {
            child.pid: HurtChild(child.pid, self._flags) for child in super()._processes.values()
        }

    def shutdown(
        self,
        wait: bool = True,
        *,
        cancel_futures: bool = False,
        kill_workers: bool = False,
    ) -> None:
        if kill_workers:
            self.kill_workers()
        super().shutdown(wait, cancel_futures=cancel_futures)


_kept: list[tuple[dict[str, Any], LokyExecutor]] = []


def get_reusable_executor(
    max_workers: int | None = None,
    context: object = None,
    timeout: float | None = 10,
    kill_workers: bool = False,
    reuse: Any = "auto",
    **options: Any,
) -> LokyExecutor:
    """Return the executor of last time, or another where that is over or asked for otherwise."""
    asked = {"max_workers": max_workers, "timeout": timeout, **options}
    for before, executor in _kept:
        if not executor._pool._is_closing and (reuse is True or asked == before):
            return executor
        executor.shutdown(kill_workers=kill_workers)
    _kept[:] = [(asked, LokyExecutor(**asked))]
    return _kept[0][1]


def children_with_commands(program: psutil.Process) -> list[tuple[int, str]]:
    """Return the pids of our children: those of the fork servers of this program."""
    servers = [child for child in program.children() if "fork_server" in " ".join(child.cmdline())]
    return [(child.pid, "child") for server in servers for child in server.children()]


def adapt() -> None:
    """Put ours where the tests look."""
    LokyExecutor.__name__ = "ProcessPoolExecutor"
    for module in (loky, loky.process_executor):
        module.ProcessPoolExecutor = LokyExecutor
        module.BrokenProcessPool = BrokenProcessPool
    loky.process_executor.TerminatedWorkerError = WorkerLost
    # A call that has begun is lost with its child; one that has not is cancelled.
    loky.process_executor.ShutdownExecutorError = (RuntimeError, CancelledError)
    loky.get_reusable_executor = get_reusable_executor
    mixin: Any = import_module("tests._executor_mixin")
    mixin._running_children_pids_with_cmdline = children_with_commands
