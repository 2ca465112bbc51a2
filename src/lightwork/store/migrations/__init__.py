"""Migrations: how the tables came to be, one file per revision, run by Alembic."""
