"""Commands: how a map runs one job as a program, in a process group of its own."""

import tempfile
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from queue import PriorityQueue
from typing import IO, Final

from lightwork.clock import monotonic
from lightwork.command.command import Command, CommandTemplate
from lightwork.command.placeholders import Place, has_placeholder
from lightwork.command.process_groups import Groups
from lightwork.errors import UsageError
from lightwork.parallel.calls import AnyFuture
from lightwork.parallel.jobs import End, MapJob, output_of
from lightwork.parallel.live import Live
from lightwork.pool.call.future import Future as LightworkFuture
from lightwork.pool.thread.executor import ThreadExecutor

# What shells say of a program that is not there, and of one that cannot be started.
_NOT_FOUND: Final = 127
_NOT_STARTED: Final = 126
_SIGTERM: Final = 15


class CommandCalls:
    """Programs, each in a process group of its own.

    Args:
        template: What is run.
        slots: How many at a time.
        live: Watches their outputs while they run; None: nobody does.
    """

    def __init__(self, template: CommandTemplate, *, slots: int, live: Live | None = None) -> None:
        self._template = template
        self._executor = ThreadExecutor(slots)
        self._groups = Groups()
        self._live = live
        # The lowest that is free ({%}); no more calls run than there are.
        self._slots: PriorityQueue[int] = PriorityQueue()
        for slot in range(1, slots + 1):
            self._slots.put(slot)

    def start(self, job: MapJob) -> AnyFuture:
        """Start it when a thread is free."""
        return self._executor.submit(self._run, job)

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended."""
        del job
        end: End = future.result()
        return end

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it; a running program hears SIGTERM and, two seconds later, SIGKILL."""
        assert isinstance(future, LightworkFuture)
        future.cancel(running="ask" if kill else "no")

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Ask all of them to stop."""
        for future in futures:
            self.cancel(future, kill=True)

    def close(self) -> None:
        """Wait for the threads."""
        self._executor.shutdown(wait=True)
        self._groups.close()

    def _run(self, job: MapJob) -> End:
        command, slot = self._template.form, self._slots.get()
        try:
            command = command_of(self._template, job, slot=slot)
            return self._run_command(job, command)
        except (OSError, UsageError) as error:
            # Too few values for it, no room for its output: its own failure, not the map's.
            return End(
                job=job,
                command=str(command),
                status=_NOT_STARTED,
                started_at=time.time(),
                seconds=0.0,
                error=f"it cannot be started: {error}",
            )
        finally:
            self._slots.put(slot)

    def _run_command(self, job: MapJob, command: Command) -> End:
        started_at, start = time.time(), monotonic()
        with ExitStack() as stack:
            # Files without names: outputs of any size, and nothing is left of them.
            stdout: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            stderr: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            with self._live.watch(job, stdout, stderr) if self._live else nullcontext():
                status, error = _status_of(command, stdout, stderr, self._groups)
            seconds = monotonic() - start
            outputs = output_of(stdout), output_of(stderr)
            stack.pop_all()
        return End(
            job=job,
            command=str(command),
            status=max(status, -1),
            signal=max(-status, 0),
            started_at=started_at,
            seconds=seconds,
            stdout=outputs[0],
            stderr=outputs[1],
            error=error,
        )


def command_of(template: CommandTemplate, job: MapJob, *, slot: int = 1) -> Command:
    """Return what a job runs.

    Args:
        template: What all jobs run.
        job: Its input.
        slot: The number of the slot that runs it.

    Raises:
        UsageError: A placeholder asks for a value that it does not have.
    """
    place = Place(seq=job.seq, slot=slot, least=job.least)
    if job.values:
        return template.command(*job.values, place=place)
    # Nothing is appended where there is nothing, and every value is empty.
    argv = template.form.argv
    words = [argv] if isinstance(argv, str) else list(map(str, argv))
    form = template.command("", place=place) if any(map(has_placeholder, words)) else template.form
    return form if job.block is None else replace(form, input=job.block)


def _status_of(
    command: Command, stdout: IO[bytes], stderr: IO[bytes], groups: Groups
) -> tuple[int, str]:
    try:
        return command.run_into(stdout, stderr, groups=groups).returncode, ""
    except TimeoutError as error:
        return -_SIGTERM, str(error)
    except FileNotFoundError as error:
        return _NOT_FOUND, f"it cannot be started: {error}"
    except (OSError, ValueError) as error:
        # ValueError: an argument holds a NUL.
        return _NOT_STARTED, f"it cannot be started: {error}"
