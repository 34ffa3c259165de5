"""The lake as tools for agents (Model Context Protocol), to read. ``server`` alone imports the SDK, an optional extra."""
