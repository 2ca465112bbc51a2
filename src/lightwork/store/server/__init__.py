"""Server: what databases that run on a server have in common: pools, deadlines, retries, watching."""
