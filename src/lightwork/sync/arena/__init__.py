"""Arena: locks and memory between processes, by the kernel alone.

The arena is a file in the runtime folder, of which each process has a map, and one open file
description for all its locks. A lock is a byte of it, locked by the kernel (an OFD lock): a free one costs two
system calls and no message. Who dies, however it dies, lets go of what it holds, and whoever waits
longest has it at once.

    offset of a region   a record of 64 bytes: token, and who has it (record.py)   memory of a Value or Array
    REFERENCES + n       shared locks: session n, and what was forked from it, uses the arena

- Which bytes are whose is said by the broker (`Allot`, lock.py), which is not needed for anything else: when it is killed, locks
  and memory stay as they are.
- A lock of the kernel belongs to the open file description, which threads and forked children share. So a
  lock of the process stands before each of them, and a forked child closes the description it has inherited, never unlocks in
  it, and opens its own. A child that was forked by other code than Python's keeps its parent's locks until it ends or runs another
  program.
- Whoever is granted a lock counts its token up and writes itself into the record; whoever lets go
  clears it. Who finds somebody in the record of a lock that it was given knows that the last holder died.
- Not fair: a process that takes a lock again at once may get it before one that waits.

Where the system has no such locks (`ofd.is_available`), the broker's own machines do the work.
"""
