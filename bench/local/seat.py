"""Seat: the process in which one side lives; started by seats.py.

    python seat.py SIDE CHILDREN

Reads one request per line from standard input, {"row": NAME, "work": {...}}, and answers each
with a line of JSON: {"figures": [...]} or {"problem": "..."}. Ends when its input does. What
libraries print goes to standard error.

Children of some sides import this file again: it must do nothing then.
"""

import sys


def no_op_of_main(n: int) -> int:
    return n


def main(name: str, children: int) -> None:
    # Here, not above: a child that imports this file again should stay small.
    import gc
    import json
    import os
    import resource

    from local.peers import SIDES
    from local.rows import ROWS_OF_A_SEAT, Work, warm_up

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # How many descriptors a side needs is measured; too few would mean fewer children.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    side = SIDES[name](children)
    warm_up(side)
    print(json.dumps({"figures": []}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        work = Work(**request["work"]).of(side)
        gc.collect()
        answer: dict[str, object]
        try:
            answer = {"figures": list(ROWS_OF_A_SEAT[request["row"]](side, work))}
        except Exception as error:
            answer = {"problem": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    side.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
