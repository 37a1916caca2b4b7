#!/usr/bin/env bash
# Looks for the servers that the tests and scripts/cluster.sh start for themselves: Redis and HAProxy.
# What is missing is installed where that is possible without asking (Debian, as root); else it says
# what to install, and fails.

set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v haproxy >/dev/null || missing+=(haproxy)
((${#missing[@]} == 0)) && exit 0

if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    exit 0
fi
echo "services.sh: please install: ${missing[*]}" >&2
exit 1
