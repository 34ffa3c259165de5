"""Loads deliveries: reads their files, proves what they hold, and commits it with its receipts."""
