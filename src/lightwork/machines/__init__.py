"""Machines: what each primitive does, as pure functions of its state and an event.

A lock, a queue or a barrier is the same wherever it lives: in this program, in the broker of
this machine, in a database. These places are *hosts* (sync/): a host keeps the state, hands
events in one by one, and passes on what is answered. Nothing here reads a clock, waits or
sends, so that tests walk every order of events to a depth.

An event is one of three: somebody asks (Ask), takes a question back (Withdraw), or is gone with all that it
holds (Lost). Whoever has to wait gets no answer yet, and stands in the state; a later event
answers. Who waits is served in the order of the questions, and what is let go is handed over
in the same step: nobody who comes in between can take it.
"""
