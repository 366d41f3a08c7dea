#!/usr/bin/env bash
# Install what tests/lab needs, where that can be done: as root on Debian's kin. Elsewhere the tests say what is missing.
set -euo pipefail

packages=()
command -v ip >/dev/null || packages+=(iproute2)
command -v nft >/dev/null || packages+=(nftables)
command -v conntrack >/dev/null || packages+=(conntrack)
if ((!${#packages[@]})) || [[ $(uname -s) != Linux || $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    exit 0
fi
echo "setup: installing ${packages[*]} for tests/lab"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${packages[@]}" >/dev/null
