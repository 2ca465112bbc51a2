"""News: to whom a commit is some: who waits for work, who waits for the ends of jobs, both or nobody.

A hint and no more: whoever is not told looks now and then all the same. So what cannot be told apart is news to all.
"""

from enum import IntFlag


class News(IntFlag):
    """What a commit has brought, and what somebody waits for; whoever waits for a part of it is told."""

    NONE = 0
    # Jobs may be ready.
    WORK = 1
    # Jobs may have ended.
    ENDS = 2
    ALL = WORK | ENDS


def never(_result: object) -> bool:
    """Return False, whatever a transaction has returned."""
    return False
