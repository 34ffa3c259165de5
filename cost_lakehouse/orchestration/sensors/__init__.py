"""The sensors: one a concern."""
