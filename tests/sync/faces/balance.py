"""Balance: many add to one value and take away, under one lock; each puts right what a killed one left."""

import lightwork as lw


def change_many_times(balance: lw.Value, lock: lw.Lock, done: lw.Value, times: int) -> None:
    """Change it, and count it; under the lock it is zero, unless the last holder was killed."""
    for _ in range(times):
        with lock:
            if lock.inherited:
                balance.value = 0
            assert balance.value == 0
            balance.value += 5
            balance.value -= 5
            done.value += 1
