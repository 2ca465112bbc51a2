"""Bounds: how many jobs of a key there may be, and may run."""
