"""PROOF: control totals of what was delivered and of what is stored, receipts, reconciliation."""
