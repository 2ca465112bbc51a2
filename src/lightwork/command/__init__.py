"""Command: other programs run as calls, by whatever process makes the call."""
