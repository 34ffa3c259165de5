"""The names of accounts: what an organisation says of them, the log of it, and the published table."""
