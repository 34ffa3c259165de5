"""The commands, one a module: what each does once its options are read."""
