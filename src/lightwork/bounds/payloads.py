"""Payloads: no job is kept that has more to carry, or to give back, than its store was told to take."""

from collections.abc import Iterable
from typing import Final

from lightwork.errors import PayloadError
from lightwork.model import NewJob, NewSchedule, Setting
from lightwork.tasks.names import short_name

# Bytes: no store can be told to take less. With less no schedule could be declared any more.
LEAST_BOUND: Final = 1024
# Seconds for which what was read of the setting counts: a SELECT for each submit would cost a server's
# clients a tenth of it. Everybody is to feel a change within five.
FRESH: Final = 3.0


def check_payloads(jobs: Iterable[NewJob | NewSchedule], setting: Setting) -> None:
    """Refuse what is too large to be kept, as the setting says.

    Raises:
        PayloadError: A job is; `seen` and `allowed` are bytes.
    """
    most = setting.value
    for job in jobs:
        if (seen := len(job.payload)) > most:
            raise PayloadError(
                f"a job of {job.task} would have a payload of {seen:,} bytes, and this store takes "
                f"{most:,} ({setting.name}, {setting.who}); it was not submitted. Store large data elsewhere and "
                "pass where it is, or let more be taken: lightwork db set max_payload SIZE",
                seen=seen,
                allowed=most,
            )


def check_result(task: str, result: bytes, setting: Setting) -> None:
    """Refuse a result that is too large to be kept, as the setting says; where nobody has set it none is.

    Raises:
        PayloadError: It is; `seen` and `allowed` are bytes.
    """
    if setting.set_at is not None and (seen := len(result)) > setting.value:
        raise PayloadError(
            f"{short_name(task):.200} returned {seen:,} bytes, and this store takes {setting.value:,} "
            f"({setting.name}, {setting.who}); nothing of it was kept. Store large data elsewhere and "
            "return where it is, or let more be taken: lightwork db set max_payload SIZE",
            seen=seen,
            allowed=setting.value,
        )
