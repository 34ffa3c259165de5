"""WHERE bills are kept: the Iceberg catalog, table schemas, replacing a slice, the ledgers, views for the SQL engine."""
