"""``lakehouse.yaml`` and the environment as typed settings, a module for each part of the file."""

from cost_lakehouse.config.lakehouse import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    LakeSettings,
    Settings,
    find_config,
    load_settings,
)
from cost_lakehouse.config.source import SourceSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "LakeSettings",
    "Settings",
    "SourceSettings",
    "find_config",
    "load_settings",
]
