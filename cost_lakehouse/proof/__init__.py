"""What proves a bill in time: its changes, its closing, and where a number comes from."""
