"""MariaDB and MySQL: a database on a server, by the driver PyMySQL."""
