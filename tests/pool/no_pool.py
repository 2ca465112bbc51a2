"""The owner of calls that go through no pool."""

from lightwork.pool.call.future import CancelMode
from lightwork.pool.link.process_call import ProcessCall


class NoPool:
    """Takes nothing back, and has no children."""

    def withdraw(self, call: ProcessCall, mode: CancelMode) -> bool:
        return False

    def has_begun(self, call: ProcessCall) -> bool:
        return False

    def items_begun(self, call: ProcessCall) -> int:
        return 0
