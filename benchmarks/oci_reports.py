"""``python -m benchmarks.oci_reports FOLDER OBJECTS BYTES``: Oracle Cloud's local server with that many reports.

Prints a JSON object that says how to reach it, and serves until its input ends.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from tests.services.oci import OciServer

DIFFERENT = 16  # contents: more would only take room here, the objects' names and copies differ all the same


def main() -> int:
    """Serve."""
    folder, count, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    contents = []
    for number in range(DIFFERENT):
        file = folder / f"content-{number}"
        file.write_bytes(chance.randbytes(size))
        contents.append(file)
    server = OciServer(records=False)
    bucket = server.make_bucket()
    for number in range(count):
        server.add_object(bucket, f"reports/cost-csv/{number:016}-00001.csv.gz", contents[number % DIFFERENT])
    key = server.add_user(folder / "oci")
    server.start()
    told = {"endpoint": server.endpoint, "tenancy": server.tenancy, "config": str(key.config_file), "region": server.region}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
