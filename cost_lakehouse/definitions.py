"""The Dagster code location: what ``lakehouse.yaml`` says, as assets, jobs, sensors and schedules."""

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.assemble import build_definitions

defs = build_definitions(load_settings())
