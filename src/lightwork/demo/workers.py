"""Workers: the worker processes of the demo: start, replace, stop; and what each of them runs.

Each is the leader of a process group of its own: the terminal's Ctrl-C reaches the demo
alone. Its standard input is a pipe whose other end only the demo holds. Nothing comes through
it until the kernel closes it: the demo has closed it or is gone, even by SIGKILL. The worker
then hands back what it holds, signs off and ends.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from lightwork.demo.tasks import QUEUE, measure
from lightwork.errors import Error
from lightwork.pool.link.death import describe_exit
from lightwork.work.service import Worker

# Seconds; short, so that the rescue can be watched.
LEASE: Final = 2.0
_STOP_SECONDS: Final = 5.0
# Workers that end by themselves this often will not get further.
_FAILURES_MAX: Final = 3


class Member(subprocess.Popen[bytes]):
    """One worker process, and what it says on standard error."""

    def __init__(self, url: str, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the member
        # It finds this package as we did.
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import work; work()"
        super().__init__(
            [sys.executable, "-c", code, name, str(slots)],
            # Not among the arguments, which all users can see: a URL may hold a password.
            env=os.environ | {"LIGHTWORK_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self.said,
            process_group=0,
        )

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    def last_words(self) -> str:
        """Return the last line of its standard error."""
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@dataclass(slots=True)
class Workers:
    """The workers of this run, by their slots; a context that leaves none behind."""

    url: str
    slots: list[int]
    members: list[Member] = field(default_factory=list)
    started: int = 0
    failures: int = 0

    def __enter__(self) -> Self:
        try:
            for slots in self.slots:
                self._start(slots)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Let all hand back what they hold and end; kill what has not after 5 seconds."""
        # A second Ctrl-C must not leave one behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for member in self.members:
                assert member.stdin is not None
                member.stdin.close()
            deadline = time.monotonic() + _STOP_SECONDS
            for member in list(self.members):
                try:
                    member.wait(max(deadline - time.monotonic(), 0.0))
                except subprocess.TimeoutExpired:
                    member.kill()
                self._forget(member)
        finally:
            signal.signal(signal.SIGINT, before)

    def replace(self, member: Member) -> str:
        """Start a worker in the place of one that is dead; say which."""
        self._forget(member)
        return f"started {self._start(member.slots)} in its place"

    def replace_dead(self) -> Iterator[str]:
        """Replace workers that ended without our doing; say who, how, and by whom.

        Raises:
            Error: They fail again and again.
        """
        for member in list(self.members):
            status = member.poll()
            if status is None:
                continue
            self.failures += status >= 0
            how = describe_exit(status)
            if self.failures >= _FAILURES_MAX:
                raise Error(
                    f"{self.failures} workers could not go on; the last, {member}, "
                    f"{how}: {member.last_words()}"
                )
            yield f"worker {member} {how}, not by this demo; {self.replace(member)}"

    def _start(self, slots: int) -> Member:
        self.started += 1
        self.members.append(Member(self.url, f"demo-{self.started}", slots))
        return self.members[-1]

    def _forget(self, member: Member) -> None:
        # Reaps it, and closes what was open to it.
        with member, member.said:
            self.members.remove(member)


def share(jobs: int) -> list[int]:
    """Return how many children each worker gets: two workers, if there are two children."""
    return [jobs] if jobs < 2 else [jobs - jobs // 2, jobs // 2]


def work() -> None:
    """Be a worker, as environment and arguments say, until the input ends."""
    # Standard error is shown only if this process fails: log lines are not for it.
    logging.getLogger("lightwork").addHandler(logging.NullHandler())
    name, slots = sys.argv[1:]
    worker = Worker(
        os.environ["LIGHTWORK_URL"],
        executor=f"processes:{slots}",
        queues=(QUEUE,),
        tasks=(measure,),
        name=name,
        lease=LEASE,
    )
    threading.Thread(target=_stop_at_end_of_input, args=(worker,), daemon=True).start()
    worker.run()


def _stop_at_end_of_input(worker: Worker) -> None:
    # Not sys.stdin: a thread that waits in it would break the interpreter's exit.
    while os.read(0, 1):
        pass
    # Twice is at once: jobs are short, and somebody wants their terminal back.
    worker.stop()
    worker.stop()
