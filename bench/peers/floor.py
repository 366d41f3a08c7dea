"""
The floor: unzip the log files with isal and write the same text, nothing else.

    python floor.py LOGS OUT
"""

import sys
from pathlib import Path

from isal import igzip

_PIECE_BYTES = 1 << 20


def main(logs: Path, out: Path) -> None:
    with out.open("wb", buffering=0) as written:
        for path in sorted(logs.rglob("*.log.gz")):
            with igzip.open(path, "rb") as text:
                while piece := text.read(_PIECE_BYTES):
                    written.write(piece)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
