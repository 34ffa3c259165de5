"""A pytest plugin (``-p tests.shifted_clock``): forty days later and in another time zone than it is."""

import os
import time

_now = time.time

os.environ["TZ"] = "Etc/GMT-14"
time.tzset()
time.time = lambda: _now() + 40 * 86_400
