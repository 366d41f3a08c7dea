#!/bin/sh
# Make .venv-NAME with requirements/NAME.txt, for tools whose pins go with nothing else. Needs .venv.
set -eu
cd "$(dirname "$0")/.."
name=$1

echo "setup: installing the locked requirements into .venv-$name (once)"
.venv/bin/python -m venv --clear ".venv-$name"
".venv-$name/bin/python" -m pip --disable-pip-version-check --quiet install --no-compile \
    --require-hashes --requirement "requirements/$name.txt"
touch ".venv-$name/.installed"
