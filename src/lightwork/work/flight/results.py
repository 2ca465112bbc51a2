"""Results: how large they may be, as the store is set; what is larger fails its attempt before it gets there.

Small ones are not looked at. Of larger ones the setting is read every few seconds while there are any: an
idle worker asks nothing. A job that commits its outcome itself looks in its transaction (store/job_transactions.py).
"""

from collections.abc import Sequence

from lightwork.bounds.payloads import FRESH, LEAST_BOUND, check_result
from lightwork.clock import monotonic
from lightwork.error_info import describe_error
from lightwork.errors import PayloadError, StoreError
from lightwork.lifecycle import AttemptEnd, Failed, Succeeded
from lightwork.model import Attempt, Setting
from lightwork.store.contract import Store
from lightwork.work.flight.ending import Ran


class ResultBound:
    """The bound as one worker has read it; used by its loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settings: list[Setting] = []
        self._read_at = -FRESH

    def within(self, ran: Sequence[Ran]) -> Sequence[Ran]:
        """Return the ends; where the result is too large, that the attempt has failed for good."""
        if not any(type(end) is Succeeded and len(end.result) > LEAST_BOUND for _, end, _ in ran):
            return ran
        return [(attempt, self._end_within(attempt, end), seconds) for attempt, end, seconds in ran]

    def _end_within(self, attempt: Attempt, end: AttemptEnd) -> AttemptEnd:
        if type(end) is not Succeeded or len(end.result) <= LEAST_BOUND:
            return end
        self._look()
        try:
            for setting in self._settings:
                check_result(attempt.task, end.result, setting)
        except PayloadError as error:
            return Failed(describe_error(error)[0])
        return end

    def _look(self) -> None:
        now = monotonic()
        if now < self._read_at + FRESH:
            return
        self._read_at = now
        try:
            self._settings = self._store.settings()
        except StoreError:
            # What was read last counts: an end that is here must reach the store.
            return
