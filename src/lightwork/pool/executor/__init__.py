"""Executor: what every executor offers; and the one without thread or child."""
