"""AWS's bills: Cost and Usage Reports, Data Exports, and who pays for whom."""
