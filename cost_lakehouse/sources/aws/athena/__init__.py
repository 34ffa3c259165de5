"""AWS's bills as a table in Athena."""
