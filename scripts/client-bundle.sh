#!/usr/bin/env bash
# Fetches the stock browser client that the server hands out, into crates/server/client: the eight
# files of `dist` as gzip, and the licence. Needs npm, openssl and gzip.
#
#   scripts/client-bundle.sh          writes the files
#   scripts/client-bundle.sh --check  compares their contents and changes nothing
#
# For another release change the two lines below, run it, and put the version into
# crates/server/src/bundle.rs; a test compares them.

set -euo pipefail

version=4.8.4
integrity=sha512-7wjKAvVXYOJsbmUgkWbnhPD4bFpkqrUR0++XOjpGFmqDqsqV1CI93VTraeExLxpjxEqrWgFoSRZu1ihjLWfkAA==

cd "$(dirname "${BASH_SOURCE[0]}")/.."
client=$PWD/crates/server/client
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    printf 'client-bundle.sh: %s\n' "$*" >&2
    exit 1
}

fetch() {
    npm pack "socket.io-client@$version" --silent --pack-destination "$work" >/dev/null
    local archive=$work/socket.io-client-$version.tgz found
    found=sha512-$(openssl dgst -sha512 -binary "$archive" | openssl base64 -A)
    [[ $found == "$integrity" ]] || die "socket.io-client@$version has $found"
    tar -xzf "$archive" -C "$work"
}

files() {
    local name
    for name in socket.io.js socket.io.min.js socket.io.esm.min.js socket.io.msgpack.min.js; do
        printf '%s\n%s\n' "$name" "$name.map"
    done
}

notice() {
    cat <<EOF
The .gz files are those of the folder dist of socket.io-client $version, compressed and otherwise
unchanged, from https://registry.npmjs.org/socket.io-client/-/socket.io-client-$version.tgz
($integrity).
Copyright (c) 2014-present Guillermo Rauch and Socket.IO contributors; MIT licence, see LICENSE.
EOF
}

write() {
    local name
    rm -rf "$client"
    mkdir -p "$client"
    for name in $(files); do
        # Without name and time, so that the same contents give the same bytes.
        gzip -9nc "$work/package/dist/$name" >"$client/$name.gz"
    done
    cp "$work/package/LICENSE" "$client/LICENSE"
    notice >"$client/NOTICE"
    du -ch "$client"/*.gz | tail -1
}

check() {
    local name
    for name in $(files); do
        gzip -dc "$client/$name.gz" | cmp - "$work/package/dist/$name" || die "$name differs"
    done
    cmp "$client/LICENSE" "$work/package/LICENSE" || die "LICENSE differs"
    notice | cmp - "$client/NOTICE" || die "NOTICE differs"
    echo "crates/server/client is socket.io-client $version"
}

case ${1:-} in
    "") then=write ;;
    --check) then=check ;;
    *) die "usage: scripts/client-bundle.sh [--check]" ;;
esac
fetch
"$then"
