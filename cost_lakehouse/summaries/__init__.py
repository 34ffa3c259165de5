"""FROM lines to daily summaries: which slices are stale, what dbt is told, and how its results become the lake's marts."""
