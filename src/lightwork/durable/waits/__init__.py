"""Waits: what becomes of waiting for jobs: why nothing comes, and of jobs that wait inside."""
