"""Dispatcher: the one thread that serves a process pool.

Sleeps until a child or the fork server has something to say, a deadline comes
or another thread wakes it. All decisions are the pool's (pool.py).

Its guard is the last defence against a hang: whatever goes wrong in here, every
future of the pool is resolved before the thread ends.
"""

import logging

from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.process.pool import ProcessPool

log = logging.getLogger(__name__)


def dispatch(pool: ProcessPool) -> None:
    """Serve the pool until it is closed and empty, or has failed."""
    try:
        while not pool.is_finished():
            pool.handle_ready(pool.poller.wait(pool.next_wait()))
            pool.handle_time()
    except BaseException as error:
        pool.fail(error)
        log_failure(log, "dispatcher_failed")
    finally:
        pool.release()
