"""moto's server in a process of its own, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator

S3_PAGE_KEYS = 100
"""Keys in a page of a listing; AWS gives 1,000."""

# The server says its port once it listens; it is asked for any that is free.
_PROGRAM = """
import sys
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, create_backend_app
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(f"port={server.server_port}", flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Give the server's address, for ``AWS_ENDPOINT_URL``, and end it at the end."""
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(S3_PAGE_KEYS)},
    ) as server:
        try:
            assert server.stdout is not None
            said = re.match(r"port=(\d+)", server.stdout.readline())
            assert said, "moto's server did not start"
            yield f"http://127.0.0.1:{said[1]}"
        finally:
            server.terminate()
