"""Other lakehouses as sources: what their `push` wrote."""
