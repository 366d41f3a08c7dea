#!/bin/sh
# Make .venv-NAME with requirements/NAME.txt, for tools whose pins go with nothing else. Needs .venv.
# The list is whole; pip is not to look for more, since it finds no hash for a package that is asked for with extras.
set -eu
cd "$(dirname "$0")/.."
name=$1

echo "setup: installing the locked requirements into .venv-$name (once)"
.venv/bin/python -m venv --clear ".venv-$name"
".venv-$name/bin/python" -m pip --disable-pip-version-check --quiet install --no-compile \
    --no-deps --require-hashes --requirement "requirements/$name.txt"
touch ".venv-$name/.installed"
