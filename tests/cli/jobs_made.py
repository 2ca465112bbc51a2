"""Jobs in every state, made through the store as workers would make them."""

import secrets
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.lifecycle import AttemptEnd, Failed, Retried, Succeeded
from lightwork.model import (
    Attempt,
    ErrorInfo,
    Limit,
    NewJob,
    Policy,
    Progress,
    UniqueKey,
    WorkerInfo,
)
from lightwork.store.contract import Store

ERROR = ErrorInfo(type="ValueError", text="wrong", traceback="Traceback: in line 7\nValueError")
PLAIN = Codec()


class Made:
    """Makes jobs in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ready(self, *args: object, task: str = "script:square", **policy: object) -> UUID:
        job_id = new_job_id()
        payload = PLAIN.encode_call(Subject(job_id, task), args, {})
        chosen = Policy(**policy)  # type: ignore[arg-type]
        self.store.submit([NewJob(id=job_id, task=task, payload=payload, policy=chosen)])
        return job_id

    def running(self, progress: Progress | None = None) -> UUID:
        job_id = self.ready(priority=1)
        worker_id, attempt = self._claim()
        if progress is not None:
            self.store.report_progress(worker_id, [(attempt, progress)])
        return job_id

    def succeeded(self, result: object = 49, *, codec: Codec = PLAIN) -> UUID:
        # Urgent: what was made before stays where it is.
        job_id = self.ready(priority=1)
        return self._end(
            job_id, Succeeded(codec.encode_result(Subject(job_id, "script:square"), result))
        )

    def failed(self, error: ErrorInfo = ERROR, *, task: str = "script:square") -> UUID:
        return self._end(self.ready(priority=1, task=task), Failed(error))

    def failed_child_of(self, parent: UUID) -> UUID:
        """Return a job that has failed because this one has."""
        job = NewJob(id=new_job_id(), task="script:square", payload=b"", after=(parent,))
        self.store.submit([job])
        return job.id

    def tied(self, *limits: Limit, number: int = 1) -> UUID:
        """Return a job with tags, these limits and a unique key, which it holds until it begins."""
        key = UniqueKey(bytes(15) + bytes([number]), "begin", 0.0, "skip")
        job = NewJob(
            id=new_job_id(),
            task="script:square",
            payload=b"",
            policy=Policy(tags=("night", "import")),
            unique=key,
            limits=limits,
        )
        self.store.submit([job])
        return job.id

    def failed_of_one_key(self) -> UUID:
        job_id = new_job_id()
        key = UniqueKey(b"one key for all.", "end", 0.0, "skip")
        job = NewJob(id=job_id, task="script:square", payload=b"", unique=key)
        self.store.submit([job])
        return self._end(job_id, Failed(ERROR))

    def retried(self) -> UUID:
        return self._end(self.ready(priority=1), Retried(ERROR, 3600.0))

    def worker(self, *, queue: str = "default", lease: float = 600.0, slots: int = 2) -> UUID:
        worker_id = UUID(bytes=secrets.token_bytes(16))
        info = WorkerInfo(
            id=worker_id,
            name="ada",
            host="here",
            pid=1,
            slots=slots,
            queues=(queue,),
            tasks=("script:square",),
        )
        self.store.register(info, lease=lease)
        return worker_id

    def _end(self, job_id: UUID, end: AttemptEnd) -> UUID:
        worker_id, attempt = self._claim()
        assert attempt.job_id == job_id
        assert self.store.ack(worker_id, [(attempt, end)]) == []
        self.store.sign_off(worker_id)
        return job_id

    def _claim(self) -> tuple[UUID, Attempt]:
        worker_id = self.worker()
        (attempt,) = self.store.claim(worker_id, lanes=self.store.lanes(["default"]), limit=1)
        return worker_id, attempt
