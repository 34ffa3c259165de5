"""``push``: changed months go to folders, buckets and HTTP addresses, for others to read."""
