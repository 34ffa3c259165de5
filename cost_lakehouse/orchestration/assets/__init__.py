"""The assets: line items of each source, summaries, mirrors and account names, with what they tell of their runs."""
