"""What a server does once, so that nobody who asks waits for it: reads the marts' manifests, and has Python keep them."""

from __future__ import annotations

import gc
import logging

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import file_tasks
from cost_lakehouse.serve.page.gathering import tables_read
from cost_lakehouse.serve.served import Served

_log = logging.getLogger("cost_lakehouse.serve")


def start(lake: Lake) -> None:
    """Read what every page reads, and freeze what is in memory then. Raises nothing: what is wrong is told to who asks.

    Years of many payers' bills are hundreds of thousands of objects, which live as long as the server. Python's garbage
    collector looks at all of them again whenever a quarter as many are new, and the page that is being made waits for it.
    """
    try:
        there = set(lake.table_names()) if lake.settings.lake.engine == "duckdb" else set()  # Trino reads manifests itself
        for name in tables_read(Served(lake)):
            if name in there:
                file_tasks(lake.current(name))
    except Exception as error:  # noqa: BLE001  # whatever the catalog or the store says, each request says it again
        _log.info("The marts' manifests are not read ahead: %s", error)
    gc.collect()
    gc.freeze()
