"""Ring: the items of a queue between processes of one machine, in memory that they share.

The broker makes it (a sparse file without a name, another for a lock, and two eventfds) and hands it to each process that uses the queue;
after that a put or a get costs two locks of the kernel and no message.

    header, a page of words     MODE FLAGS | PUT_SEQ, 2 x (tail, puts) | GET_SEQ, 2 x (head, index, gets, done) | FREED | who waits
    data, as large as nobody fills
        freed ..... head ────────── tail            records: a count, where each item ends, the items
          │ given back │  in the queue │ nothing
          to the system

- One lock for those who put and one for those who get: of two files, each opened by each process for itself (`flock`, which takes
  a third of the time of the arena's locks), which the kernel frees when their holder dies. Threads of one process have a lock of their own before each.
- What a put or a get changes is written beside what is there and becomes true by one store of eight bytes, PUT_SEQ or GET_SEQ: its
  lowest bit says which of two slots is right. So a kill between any two steps leaves the state before or
  the one after, and nothing is to be undone (ring.py; a test kills at every store).
- Who finds nothing sleeps on an eventfd (bell.py). A kill in the middle of waking is mended by the broker, which sees each death and
  rings all bells of the dead one's queues.
- What needs the broker's machine, items that are lent (`ack=False`), moves the queue there for good: MODE is set under both
  locks, nobody changes the ring after that, and the broker takes over what is in it with the next question.
- A broker that is killed does not hear of the ring, and the next one has the queue empty. It writes its number into the arena before it
  answers anybody, and each put and get looks at that: whoever still has the ring of another is told `LockLost`.

Stores must be seen by other processors in the order in which they are done: `is_available` asks for x86-64, which promises
that. Elsewhere queues live in the broker's machine.
"""
