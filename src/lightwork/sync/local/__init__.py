"""Local: the host that is this program; its threads are the callers."""
