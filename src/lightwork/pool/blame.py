"""Blame: which calls a dead child takes along, and what is said about them.

A plain call is lost if the page says that it had started; a coroutine call if
its BEGUN frame is in what the child has left. All others never ran.
"""

from lightwork.errors import WorkerLost
from lightwork.pool.deaths import death_text
from lightwork.pool.link import ChildLink


def lost_calls(link: ChildLink) -> set[int]:
    """Return the numbers of the calls that had begun; after its last words were read."""
    started, _ = link.started()
    return {*link.begun, started} & link.calls.keys()


def worker_lost(link: ChildLink, exitcode: int, function: str, *, lost: int) -> WorkerLost:
    """Return the error of one call of a dead child that has lost so many."""
    trace = link.page.read_trace()
    text = death_text(link.name, link.pid, exitcode, function, trace, lost=lost)
    return WorkerLost(text, exitcode=exitcode, pid=link.pid, traceback=trace)
