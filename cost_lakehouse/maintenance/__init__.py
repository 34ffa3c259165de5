"""Keeps the lake small and quick: expires snapshots, merges small files, removes what nothing refers to; and reports it."""
