"""Locks: what threads wait for, held in ways that neither a Ctrl-C nor a finalizer can break."""
