"""Flight: attempts on their way through the pool: which of them are one call of it, and how each ends."""
