"""Measurements of speed and memory beside other programs, to be repeated by anyone; never a test."""
