"""PostgreSQL: a database on a server, by the driver psycopg."""
