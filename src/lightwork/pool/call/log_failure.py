"""Log failure: the one way in which threads that must live on log what went wrong.

To log an exception runs code of the user: its `__str__` and attributes, the `repr` of
what failed, filters and other logging code of the program. Any of it may raise anything.
"""

import logging
from contextlib import suppress

from lightwork.error_text import named_text_of


def log_failure(log: logging.Logger, text: str, *values: object) -> None:
    """Log the exception at hand with its traceback, or at least that there was one; never raises."""
    try:
        log.log(logging.ERROR, text, *values, exc_info=True)
    except BaseException as broken:
        with suppress(BaseException):
            log.log(logging.ERROR, "%s; logging it raised %s", text, named_text_of(broken))
