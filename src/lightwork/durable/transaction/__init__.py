"""Transaction: jobs that are submitted in a transaction of the user's own, and their futures."""
