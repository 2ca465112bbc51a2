"""Serve: `lightwork serve`, which offers a store to other machines."""
