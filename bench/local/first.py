"""First: a program that makes one call, and says how long that took; started by extras.py.

    python first.py SIDE CHILDREN [CALLS]

Prints a line of JSON: the instants (of time.monotonic) at which it had imported what it needs,
and at which it had the first result; then, of the pool that is now idle, the private memory of
its children. With CALLS it makes so many calls instead of one and says nothing of memory.

Children of some sides import this file again, so it imports nothing.
"""

import sys


def main(name: str, children: int, count: int) -> None:
    import time
    from operator import pos

    from local.peers import SIDES

    kind = SIDES[name]
    kind.load()
    begun = time.monotonic()
    side = kind(children)
    side.call(pos, 1)
    first = time.monotonic()
    memory: dict[str, float] = {}
    if count:
        seen = side.submit_all(pos, range(count))
        assert len(seen) == count
    else:
        from local.memory import idle_memory

        memory = idle_memory(side)
    import json

    print(json.dumps({"begun": begun, "first": first, **memory}), flush=True)
    side.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
