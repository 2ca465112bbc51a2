"""Death: which calls a dead child takes along, and what is said about them.

A plain call is lost if the control block says that it had started; a coroutine call if
its BEGUN frame is in what the child has left. All others never ran.
"""

import signal
from typing import TYPE_CHECKING

from lightwork import errors
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.rss import peak_bytes

if TYPE_CHECKING:
    from lightwork.errors import WorkerLost


def death_text(link: ChildLink, exitcode: int, function: str, trace: str, *, lost: int) -> str:
    """Say how a child ended while it ran a call of this function, and where if that is known."""
    how = describe_exit(exitcode)
    if link.is_unwanted and exitcode == -signal.SIGKILL:
        how = "was killed as its pool was told to end at once"
    text = f"the child {link.name} (pid {link.pid}) {how} while it ran {function}; "
    if lost <= 1:
        text += "only this call is lost"
    else:
        text += f"all {lost} calls that shared this process are lost, of which any may be guilty"
    return f"{text}\n{trace}" if trace else text


def lost_calls(link: ChildLink) -> set[int]:
    """Return the numbers of the calls that had begun; after its last words were read."""
    started, _ = link.started()
    return link.held.lost(started)


def worker_lost(
    link: ChildLink, exitcode: int, function: str, *, lost: int, peak: int | None
) -> "WorkerLost":
    """Return the error of one call of a dead child that has lost so many; `peak`: bytes it held."""
    trace = link.read_trace()
    text = death_text(link, exitcode, function, trace, lost=lost)
    return errors.WorkerLost(
        text, exitcode=exitcode, pid=link.pid, traceback=trace, peak_memory=peak
    )


def out_of_memory(link: ChildLink, function: str, *, used: int, limit: int) -> "WorkerLost":
    """Return the error of a call whose child is killed because it holds so many bytes."""
    text = memory_text(function, used=used, limit=limit)
    return errors.WorkerLost(text, exitcode=-signal.SIGKILL, pid=link.pid, peak_memory=used)


def out_of_time(link: ChildLink, function: str, timeout: float) -> TimeoutError:
    """Return the error of a call whose child is killed because it ran for too long."""
    error = TimeoutError(timeout_text(function, timeout))
    return note_kill(error, peak=link.peak_of_attempt(peak_bytes(link.pid)))


def note_kill(error: TimeoutError, *, peak: int | None = None) -> TimeoutError:
    """Have an error of the standard library say that a child was killed for it; see WorkerLost."""
    vars(error).update(exitcode=-signal.SIGKILL, peak_memory=peak)
    return error


def describe_exit(exitcode: int) -> str:
    """Put an exit code into words; negative ones are signals."""
    if exitcode >= 0:
        return f"ended with exit status {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = " (kill -9, or the system ran out of memory)" if exitcode == -signal.SIGKILL else ""
    return f"was killed by {name}{hint}"


def hopeless_text(failures: int, exitcode: int) -> str:
    """Say that no child becomes ready."""
    return (
        f"{failures} children in a row died before they were ready; "
        f"the last one {describe_exit(exitcode)}; see their standard error"
    )


def server_text(lost: int) -> str:
    """Say that no fork server lives until a child is ready."""
    return (
        f"{lost} fork servers in a row ended before a child of this pool was ready: the interpreter "
        "cannot be started again as this one was (sys.executable, sys.path, PYTHONHOME), or "
        "somebody kills it; see its standard error"
    )


def memory_text(function: str, *, used: int, limit: int) -> str:
    """Say that a call held more memory than it may."""
    return f"{function} was killed: its child held {used:,} bytes, the limit is {limit:,}"


def timeout_text(function: str, timeout: float) -> str:
    """Say that a call ran too long."""
    return f"{function} ran longer than its timeout of {timeout:g} s and was killed"
