"""Sync: locks, queues and shared values at every reach, and the hosts that keep them.

The classes that a program holds (lock.py and its neighbours) are thin: they ask a host (host.py), which runs
the machine of ../machines. Hosts: this program (threads), the broker of this machine (processes),
a store, and a server, which is a store.
"""
