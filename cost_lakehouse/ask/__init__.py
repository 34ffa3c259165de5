"""WHAT it cost: one exact query core behind the command, the API and the pages. SQL only in ``statement``."""
