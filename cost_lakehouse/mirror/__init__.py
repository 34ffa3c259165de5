"""Copies OCI's reports to the user's own bucket or folder: what is missing there, verified, never less."""
