"""Deaths: what is said about a child that died, and who is to blame."""

import signal

from lightwork.errors import WorkerLost
from lightwork.pool.link import ChildLink


def death_text(
    name: str, pid: int, exitcode: int, function: str, trace: str = "", *, lost: int = 1
) -> str:
    """Say how a child ended while it ran a call of this function, and where if that is known."""
    text = f"the child {name} (pid {pid}) {describe_exit(exitcode)} while it ran {function}; "
    if lost <= 1:
        text += "only this call is lost"
    else:
        text += f"all {lost} calls that shared this process are lost, of which any may be guilty"
    return f"{text}\n{trace}" if trace else text


def worker_lost(link: ChildLink, exitcode: int, function: str) -> WorkerLost:
    """Return the error of the call that a dead child had begun."""
    trace = link.page.read_trace()
    text = death_text(link.name, link.pid, exitcode, function, trace)
    return WorkerLost(text, exitcode=exitcode, pid=link.pid, traceback=trace)


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


def memory_text(function: str, *, used: int, limit: int) -> str:
    """Say that a call held more memory than it may."""
    return f"{function} was killed: its child held {used:,} bytes, the limit is {limit:,}"


def timeout_text(function: str, timeout: float) -> str:
    """Say that a call ran too long."""
    return f"{function} ran longer than its timeout of {timeout:g} s and was killed"
