"""Tasks: registered functions with policy, and what they are called."""
