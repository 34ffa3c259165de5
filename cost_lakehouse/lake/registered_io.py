"""Hands pyiceberg the warehouse's own reader and writer: its catalogs make theirs anew from properties, which are text."""

from __future__ import annotations

from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.typedef import EMPTY_DICT, Properties

from cost_lakehouse.lake.warehouse import FolderIO, Warehouse

_NAME = "cost-lakehouse.io"
IO_PROPERTIES = {"py-io-impl": f"{__name__}.RegisteredIO"}
FOLDER_IO_PROPERTIES = {"py-io-impl": f"{FolderIO.__module__}.{FolderIO.__name__}"}
_REGISTERED: dict[str, FileIO] = {}


def register_io(warehouse: Warehouse) -> dict[str, str]:
    """Make a warehouse's ``file_io`` known; the properties that lead a catalog to it. The last of a location counts."""
    _REGISTERED[warehouse.location] = warehouse.file_io
    return {_NAME: warehouse.location}


class RegisteredIO(FileIO):
    """Passes everything on to the registered one."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._io = _REGISTERED[properties[_NAME]]

    def new_input(self, location: str) -> InputFile:
        """A file to read."""
        return self._io.new_input(location)

    def new_output(self, location: str) -> OutputFile:
        """A file to write."""
        return self._io.new_output(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove a file."""
        self._io.delete(location)
