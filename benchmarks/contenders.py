"""One program loads one delivery: ``python -m benchmarks.contenders NAME CONFIG OUT FILE...``, each in a process of its own.

Only ``lakehouse`` gives types to the columns, proves the totals and commits; the others copy text to Parquet. Every import
stands in its contender, so that none carries another's memory.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def lakehouse(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """Delivery -> committed slice, with types, maps, control totals, receipt and proof."""
    from cost_lakehouse.config import load_settings
    from cost_lakehouse.lake.catalog import Lake
    from cost_lakehouse.loading.load import load_delivery
    from cost_lakehouse.sources.registry import open_source

    del out, files  # the lake lies beside the configuration, and the delivery is found as it always is
    settings = load_settings(config)
    lake = Lake(settings)
    source = settings.sources[0]
    started = time.monotonic()
    delivery = next(
        candidate.delivery
        for candidate in open_source(settings, source).list_deliveries().months
        if candidate.delivery is not None
    )
    result = load_delivery(lake, open_source(settings, source), delivery)
    return {"seconds": time.monotonic() - started, "rows": result.receipt.rows}


def oci(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """New cost reports -> committed months, with types, maps, control totals, receipts and proof."""
    from cost_lakehouse.config import load_settings
    from cost_lakehouse.lake.catalog import Lake
    from cost_lakehouse.loading.load import load_delivery
    from cost_lakehouse.sources.delivery import Delivery
    from cost_lakehouse.sources.registry import open_source

    del out, files  # as above
    settings = load_settings(config)
    lake = Lake(settings)
    source = settings.sources[0]
    started = time.monotonic()
    objects = open_source(settings, source).list_deliveries().files["raw.oci_cost"]
    delivery = Delivery.of_files(source.name, "raw.oci_cost", tuple(objects))
    result = load_delivery(lake, open_source(settings, source), delivery)
    return {"seconds": time.monotonic() - started, "rows": sum(receipt.rows for receipt in result.receipts)}


def polars(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """The floor: every column stays text, nothing is summed."""
    import polars as pl

    del config
    started = time.monotonic()
    # OCI's headers differ from file to file.
    scans = [pl.scan_csv(path, infer_schema=False) for path in files]
    pl.concat(scans, how="diagonal").sink_parquet(out / "copy.parquet", compression="zstd")
    return {"seconds": time.monotonic() - started}


def duckdb(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """What many would write first: ``COPY`` of a CSV read as text."""
    import duckdb as db

    del config
    started = time.monotonic()
    with db.connect() as connection:
        source = f"read_csv({[str(path) for path in files]}, all_varchar = true, header = true, union_by_name = true)"
        connection.execute(f"copy (from {source}) to '{out / 'copy.parquet'}' (format parquet, compression zstd)")
    return {"seconds": time.monotonic() - started}


def polars_parquet(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """The floor of Parquet: every column as it is."""
    import polars as pl

    del config
    started = time.monotonic()
    pl.scan_parquet(list(files)).sink_parquet(out / "copy.parquet", compression="zstd")
    return {"seconds": time.monotonic() - started}


def duckdb_parquet(config: Path, out: Path, files: Sequence[Path]) -> dict[str, object]:
    """What many would write first: ``COPY`` of Parquet files."""
    import duckdb as db

    del config
    started = time.monotonic()
    with db.connect() as connection:
        source = f"read_parquet({[str(path) for path in files]})"
        connection.execute(f"copy (from {source}) to '{out / 'copy.parquet'}' (format parquet, compression zstd)")
    return {"seconds": time.monotonic() - started}


Contender = Callable[[Path, Path, Sequence[Path]], dict[str, object]]
CONTENDERS: dict[str, Contender] = {
    "lakehouse": lakehouse,
    "oci": oci,
    "polars": polars,
    "duckdb": duckdb,
    "polars_parquet": polars_parquet,
    "duckdb_parquet": duckdb_parquet,
}


def main() -> int:
    """Run one contender on an empty output and print what it measured."""
    name, config, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for old in (config.parent / "lake", out):
        shutil.rmtree(old, ignore_errors=True)
    out.mkdir(parents=True)
    print(json.dumps(CONTENDERS[name](config, out, [Path(argument) for argument in sys.argv[4:]])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
