"""Payloads: no job is kept that has more to carry than its store was told to take."""

from collections.abc import Iterable

from lightwork.errors import PayloadError
from lightwork.model import NewJob, NewSchedule, Setting


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
                f"{most:,} ({setting.name}, {setting.who}); nothing was submitted. Store large data elsewhere and "
                "pass where it is, or let more be taken: lightwork db set max_payload SIZE",
                seen=seen,
                allowed=most,
            )
