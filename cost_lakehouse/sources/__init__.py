"""WHERE bills come from: a module a kind of source; lists deliveries, opens files."""
