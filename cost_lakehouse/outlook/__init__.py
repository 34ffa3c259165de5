"""WHAT it will cost, and what it should not have: forecast, anomalies and budgets, out of settled days alone."""
