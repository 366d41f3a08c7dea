"""
Run a command on some cores and say what it took, as JSON: wall and CPU seconds, peak memory, exit status.

    python -I -S launch.py 0,1 ERRORS COMMAND…

A process of its own, and a small one: what the kernel gives as the peak of a child is never below what its parent
held when it was started.
"""

import json
import os
import sys
import time

cores, errors, *command = sys.argv[1:]
os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
actions = [
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
]
started = time.perf_counter()
# As on a user's machine, where Python keeps the modules it has compiled: the first round makes them.
environment = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
child = os.posix_spawn(command[0], command, environment, file_actions=actions)
_, status, usage = os.wait4(child, 0)
wall_s = time.perf_counter() - started
print(
    json.dumps(
        {
            "wall_s": wall_s,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mib": usage.ru_maxrss / 1024,
            "status": os.waitstatus_to_exitcode(status),
        }
    )
)
