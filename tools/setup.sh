#!/bin/sh
# Make .venv with the locked requirements and vpcflow itself in it. PYTHON names the Python to use, if not the first found.
set -eu
cd "$(dirname "$0")/.."

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        echo "setup: $PYTHON is no Python 3.11 or newer" >&2
    else
        echo "setup: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2
    fi
    return 1
}

make_venv() {
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "setup: $1 cannot make a virtual environment: it lacks venv or ensurepip" >&2
        echo "setup: on Debian and Ubuntu, apt-get install python3-venv; then again" >&2
        return 1
    fi
    "$1" -m venv --clear .venv
}

install() {
    .venv/bin/python -m pip --disable-pip-version-check --quiet install --no-compile "$@"
}

if [ ! -x .venv/bin/pip ] || ! new_enough .venv/bin/python; then
    python=$(find_python)
    echo "setup: making .venv with $("$python" --version)"
    make_venv "$python"
fi
echo "setup: installing the locked requirements into .venv (once; a minute or two)"
install --require-hashes --requirement requirements/dev.txt
install --no-deps --no-build-isolation --editable .
touch .venv/.installed
