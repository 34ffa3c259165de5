"""WHAT is in a bill's files: a module a format; header -> columns, files -> typed Arrow batches."""
