"""What the command ``vpcflow`` and ``python -m vpcflow`` call."""

from __future__ import annotations

import sys


class _WithoutPandas:
    """
    A finder that knows no pandas.

    Arrow imports it, where it is installed, the first time it makes an array: half a second that no command needs.
    """

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Refuse pandas, and leave all other modules to the finders that follow."""
        if name == "pandas":
            raise ModuleNotFoundError("no command of vpcflow uses pandas", name=name)


def main() -> None:
    """Run the command line."""
    sys.meta_path.insert(0, _WithoutPandas)
    from vpcflow.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
