"""Bounds: what a task declares about how many jobs of a key there may be, and may run. Pure."""
