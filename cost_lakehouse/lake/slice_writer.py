"""Writes the rows of a load into new Parquet files aside: nobody sees them before the commit that names them."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.formats.raw_schema import CODED_TEXT, DISTINCT_TEXT
from cost_lakehouse.lake.data_files import file_name

ROWS_PER_GROUP = 128 * 1024
ROWS_PER_FILE = 2 * 1024 * 1024
# Nearly every value is another one: a dictionary would only cost time and room. So it is with decimals.
_DISTINCT = {*DISTINCT_TEXT, "row_number"}
# What queries filter by; statistics on the other hundred columns would only make files and footers larger.
_FILTERED = {
    "source",
    "billing_period",
    "delivery_id",
    "usage_date",
    "line_item_usage_start_date",
    "line_item_product_code",
    "line_item_interval_usage_start",
    "charge_period_start",
    "file_name",
}
_NUMBERING = threading.Lock()


def new_load_id() -> str:
    """A name for one load that no other load has."""
    return f"load-{secrets.token_hex(8)}"


class SliceWriter:
    """Writes batches of one table, one thread at a time, into as many files as they need."""

    def __init__(self, folder: Path, load_id: str, numbers: list[int]) -> None:
        """``numbers`` hands out file numbers; writers of one load share it."""
        self._folder = folder
        self._load_id = load_id
        self._numbers = numbers
        self._writer: pq.ParquetWriter | None = None
        self._rows_in_file = 0
        self._coded = False
        self._part = ""
        self.files: list[Path] = []

    def write(self, batch: pa.RecordBatch, part: str = "") -> None:
        """Append a batch; every batch has the same schema. A batch without rows makes no file.

        Rows of another ``part`` than those before begin a row group.
        """
        if batch.num_rows == 0:
            return
        if self._writer is None:
            self._writer = self._open(batch.schema)
        is_another, self._part = part != self._part, part
        if self._coded or is_another:
            # Pages take over a batch's codes as they are, as long as a row group has no batch with others.
            self._writer.write_table(pa.Table.from_batches([batch]), row_group_size=ROWS_PER_GROUP)
        else:
            self._writer.write_batch(batch, row_group_size=ROWS_PER_GROUP)
        self._rows_in_file += batch.num_rows
        if self._rows_in_file >= ROWS_PER_FILE:
            self.close()

    def close(self) -> None:
        """Finish the file that is open."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        self._folder.mkdir(parents=True, exist_ok=True)
        with _NUMBERING:
            number = len(self._numbers)
            self._numbers.append(number)
        path = self._folder / file_name(self._load_id, number)
        self.files.append(path)
        self._rows_in_file = 0
        self._coded = any(field.type == CODED_TEXT for field in schema)
        return pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=_repeating_columns(schema),
            write_statistics=[name for name in schema.names if name in _FILTERED],
            # The Arrow schema would tell readers of dictionaries, which the table's schema does not know.
            store_schema=False,
        )


def _repeating_columns(schema: pa.Schema) -> list[str]:
    """The columns whose pages are worth a dictionary, as Parquet spells their paths."""
    paths = []
    for field in schema:
        if pa.types.is_decimal(field.type) or field.name in _DISTINCT:
            continue
        if pa.types.is_map(field.type):
            paths += [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
        else:
            paths.append(field.name)
    return paths
