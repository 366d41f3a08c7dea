#!/bin/sh
# Write requirements/*.txt: every version and hash, for all platforms and Pythons, and no index address. Versions stay
# as they are where they can; UPGRADE=--upgrade takes the newest.
# Core and Spark take dev's versions, so that what is tested is what is installed; and every Python takes the same ones.
set -eu
cd "$(dirname "$0")/.."
uv="${UV:-.venv/bin/uv}"

compile() {
    output=$1
    shift
    echo "locking requirements/$output"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --fork-strategy fewest ${UPGRADE:-} --custom-compile-command "make lock" --output-file "requirements/$output" "$@"
}

compile dev.txt pyproject.toml --extra aws --extra console --extra iceberg --extra opensearch --group dev
compile core.txt pyproject.toml --constraints requirements/dev.txt
compile spark.txt pyproject.toml --constraints requirements/dev.txt --extra spark
compile sam.txt --group sam
compile checkov.txt --group checkov
compile emulator.txt --group emulator
compile lambda.txt pyproject.toml --constraints requirements/dev.txt --extra aws --extra opensearch
