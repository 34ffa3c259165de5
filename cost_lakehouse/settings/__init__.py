"""``lakehouse.yaml`` and the environment as typed settings, a module for each part of the file."""

from cost_lakehouse.settings.lakehouse import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    LakeSettings,
    Settings,
    SourceSettings,
    find_config,
    load_settings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "LakeSettings",
    "Settings",
    "SourceSettings",
    "find_config",
    "load_settings",
]
