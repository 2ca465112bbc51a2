"""Transaction: jobs that record their outcome themselves, with what they write into the database."""
