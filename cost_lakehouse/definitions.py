"""The Dagster code location: what ``lakehouse.yaml`` says, as assets, jobs, sensors and schedules."""

from cost_lakehouse.orchestration.assemble import build_definitions
from cost_lakehouse.settings import load_settings

defs = build_definitions(load_settings())
