"""Served: the upkeep of a store that a server offers: done beside the server, left alone by its workers.

server_upkeep.py  the thread that does it, which `lightwork serve` starts and stops
worker_upkeep.py  what of it a worker does: all, or at such a server only what nobody else can know
"""
