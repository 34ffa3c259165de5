"""Oracle Cloud's reports."""
