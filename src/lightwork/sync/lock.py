"""Lock and RLock: one holder at a time, at every reach."""

from _thread import get_ident
from types import TracebackType

from lightwork.errors import LockLost
from lightwork.machines.lock import HELD_BY_ANOTHER
from lightwork.sync.asked import open_lock
from lightwork.sync.host import Host, LockWay, Place, Refusal
from lightwork.sync.primitive import Primitive, time_limit


class Lock(Primitive):
    """A lock as `threading.Lock`, which no kill leaves locked.

    When its holder dies, the next one gets it: between processes at once, at a store when the lease of the holder's
    session has run out (seconds). It is then told that by `inherited`: what the lock guards may be half done.
    Whoever waits longest is next; between processes of a machine, whose kernel has its own order, nearly always.

    A lock at a store or server is a lease: a process that was stopped for a while may still believe that it
    holds it. What it guards is safe if it remembers the highest `token` that it has seen, and
    refuses smaller ones.

    Args:
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"
    _is_reentrant = False
    _way: LockWay

    def __init__(self, name: str = "", *, where: str | Host = "processes") -> None:
        self._open(where, "lock", name, (self._is_reentrant,))

    def _attach(self, host: Host, place: Place, *, is_named: bool) -> None:
        super()._attach(host, place, is_named=is_named)
        self._way = open_lock(host, place)
        # Of the grant that was had by this object; 0: none, or it was released.
        self._token = 0
        self._count = 0
        self._owner = 0
        self._is_inherited = False

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Take it; return whether it was had.

        Args:
            blocking: Wait for it.
            timeout: Seconds to wait at most; -1 or None: without end.

        Raises:
            LockLost: This process's session at the host has ended.
            StoreUnavailable: The host cannot be reached.
        """
        thread = get_ident()
        try:
            token, is_inherited = self._way.acquire(_lock_timeout(blocking, timeout))
        except TimeoutError:
            return False
        # No function is called from here on: a Ctrl-C finds no place to come.
        if token == self._token:
            self._count += 1
        else:
            self._token, self._is_inherited, self._owner, self._count = (
                token,
                is_inherited,
                thread,
                1,
            )
        return True

    def release(self) -> None:
        """Let go of it, and hand it to whoever waits longest.

        Raises:
            RuntimeError: It is not held, or by another process; of an RLock, another thread.
            LockLost: It was held, and is no longer: the session has ended, or somebody has broken it.
        """
        is_its = not self._is_reentrant or self._owner == get_ident()
        is_held = is_its and self._count > 0
        self._count -= is_held
        try:
            self._way.release()
        except Refusal as refusal:
            if not is_held:
                raise RuntimeError(_why_not_released(self, refusal.reason)) from None
            self._count = 0
            raise LockLost(
                f"{type(self).__name__} {self.name!r} was taken by this process, or by its parent before a fork, and is "
                f"no longer its own: its session at {self.where} has ended, or somebody has broken the lock. Another may have held "
                "it since; do again what it guards, and let that compare tokens"
            ) from None
        except LockLost:
            self._count = 0
            raise

    def locked(self) -> bool:
        """Whether anybody holds it."""
        return self._way.is_locked()

    def force_release(self) -> bool:
        """Take it from whoever holds it, who is told at its own release; return whether it was held.

        Raises:
            UsageError: Another process of this machine holds it (`where="processes"`): end that process.
        """
        return self._way.force_release()

    @property
    def token(self) -> int:
        """Of the last grant that this object had; a later grant, to whomever, has a greater one."""
        return self._token

    @property
    def inherited(self) -> bool:
        """Whether the holder before this grant died with it: what it guards may be half done."""
        return self._is_inherited

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        token, is_last = self._token, self._count == 1
        try:
            self.release()
        except BaseException:
            # A Ctrl-C may have come before the first step of it: the caller's block is over all the same.
            if is_last:
                self._count = 0
                self._way.release_grant(token)
            raise

    def __repr__(self) -> str:
        state = "locked" if self.locked() else "unlocked"
        name = f" {self._place.name!r}" if self._is_named else ""
        return f"<{state} lightwork.{type(self).__name__} object{name} at {id(self):#x}>"

    # What `threading.Condition` asks of its lock.

    def _is_owned(self) -> bool:
        return self._way.count() > 0

    def _release_save(self) -> int:
        count = self._way.count()
        if not count:
            raise RuntimeError("cannot release un-acquired lock")
        for _ in range(count):
            self.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        for _ in range(count):
            self.acquire()


class RLock(Lock):
    """A lock as `threading.RLock`: the thread that holds it may take it again; see `Lock`."""

    __module__ = "lightwork"
    _is_reentrant = True

    def _recursion_count(self) -> int:
        return self._way.count()


def _lock_timeout(blocking: bool, timeout: float | None) -> float | None:
    """Return seconds, or None for none; what is refused is what `threading.Lock` refuses."""
    if timeout is None or timeout == -1:
        return None if blocking else 0.0
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    limit = time_limit(timeout)
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    return limit


def _why_not_released(lock: Lock, reason: str) -> str:
    shown = f"{type(lock).__name__} {lock.name!r}"
    if reason == HELD_BY_ANOTHER:
        other = "thread" if isinstance(lock, RLock) else "process"
        return f"cannot release {shown}: another {other} holds it"
    return f"cannot release {shown}: it is not held"


def own_lock(whole: Primitive) -> RLock:
    """Return the lock of a Condition, a Value or an Array: found by all who find these."""
    lock = RLock.__new__(RLock)
    place = Place("lock", f"{whole._place.kind}/{whole.name}", (True,))
    lock._attach(whole._host, place, is_named=whole._is_named)
    return lock
