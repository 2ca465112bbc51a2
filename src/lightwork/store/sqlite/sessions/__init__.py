"""Sessions: transactions on a file that are not the writer's: the user's own, and those of jobs."""
