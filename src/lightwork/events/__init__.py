"""Events: what happens to jobs and workers, as objects; logs and listeners get the same ones."""
