"""Clients: processes that put and get as fast as they can, and write down each step in a file that survives them.

python -m sync.ring.clients put|get FOLDER NUMBER
"""

import os
import sys
from pathlib import Path

import lightwork as lw

NAME = "killed"
MAXSIZE = 50


def main(verb: str, folder: str, number: str) -> None:
    """Put, or get until it is shut down."""
    file = os.open(Path(folder, f"{verb}.{number}"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    queue: lw.Queue[str] = lw.Queue(MAXSIZE, name=NAME)
    if verb == "get":
        size = 1 + int(number) % 3
        while True:
            try:
                items = queue.get_many(size)
            except lw.ShutDown:
                return
            os.write(file, "".join(f"{item}\n" for item in items).encode())
    for count in range(1 << 30):
        items = [f"{number}.{count}.{part}" + "-" * (count % 700) for part in range(1 + count % 4)]
        os.write(file, "".join(f"{item}\n" for item in items).encode())
        try:
            queue.put_many(items)
        except lw.ShutDown:
            return
        os.write(file, b"in\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
