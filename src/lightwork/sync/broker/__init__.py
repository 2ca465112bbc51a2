"""Broker: a process of its own for each user of a machine, which hosts primitives for all processes.

What a client says (protocol.py) goes over AF_UNIX sockets in the runtime folder. Who first needs the
broker starts it (starting.py), and when nobody has used it for some seconds it ends by itself. It trusts the processes
of its user, and nobody else: the kernel says whose a connection is.

    host.py ── line.py ── socket ── connection.py ── loop.py ── primitives.py ── a machine
     asks       one question at a time    buffers         who        state, who waits

- A *session* is a process that asks (sessions.py). It is lost when the process has died, which a pidfd
  says whatever inherited its sockets, or when it has no connection left.
- A *line* is a connection with at most one question under way. A client has as many as threads of it ask
  at once, and keeps them. So nobody needs to be told more than one answer, and a client that reads nothing
  fills nothing.
- Exactly one answer to each question. Whose time is up says so on the same line, and gets the answer that came before
  or the word that none will come. Whoever is interrupted (Ctrl-C), and cannot know what has been sent or read, gives up the line
  and asks on another what became of it: the broker keeps the last answer of a line until the next question.
- The broker's death is the loss of every session. Locks of the arena, and memory, do not notice it:
  which bytes are whose stands in a file that the next broker reads (regions.py).
"""
