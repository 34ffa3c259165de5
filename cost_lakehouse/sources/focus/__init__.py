"""Bills in FOCUS, from any provider."""
