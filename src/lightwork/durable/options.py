"""Options: how one submit keeps its jobs; what each job obeys later is its task's policy."""

from collections.abc import Sequence
from dataclasses import dataclass

from lightwork.pool.call.reporter import Listener
from lightwork.pool.map.options import WhenFailed, check_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """How jobs of one task are kept together.

    Attributes:
        key: Makes it idempotent: the same key, task and arguments mean the same job.
        failed: What is done with those that were kept before under this key, and have failed.
        listeners: Told what each job reports; none, or one for each.

    Raises:
        UsageError: `failed` has no meaning.
    """

    key: str | None = None
    failed: WhenFailed = "return"
    listeners: Sequence[Listener] = ()

    def __post_init__(self) -> None:
        check_failed(self.failed, self.key)


PLAIN = SubmitOptions()
