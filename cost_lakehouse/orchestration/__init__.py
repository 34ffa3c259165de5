"""Runs the lakehouse with Dagster: the only package that imports it. What a sensor decides is decided by plain functions."""
