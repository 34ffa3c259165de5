"""``publish.postgres``: chosen marts as plain tables of a PostgreSQL database."""
