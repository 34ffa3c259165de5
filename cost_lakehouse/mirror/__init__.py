"""Copies a tenancy's reports to a bucket or folder of one's own: what is new or different, in parts, each copy proven."""
