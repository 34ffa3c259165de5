"""``python -m tests.loading.killed_worker CONFIG TASK CALL``: a worker that dies by ``kill -9`` at a given call into our code.

``CALL`` 0: it counts the calls and prints how many there are.
"""

from __future__ import annotations

import sys

from cost_lakehouse.loading.shard_worker import main
from tests.kill_points import counted

if __name__ == "__main__":
    config, task, call = sys.argv[1:]
    print(counted(lambda: main([config, task, "0"]), int(call)))
