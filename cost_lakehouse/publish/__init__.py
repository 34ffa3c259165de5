"""What leaves the lake for others to read."""
