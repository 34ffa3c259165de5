"""Lets ``python -m cost_lakehouse.cli`` do what the command does."""

from cost_lakehouse.cli import main

main()
