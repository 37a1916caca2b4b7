#!/usr/bin/env bash
# The tier `soak`: what takes too long for every change. Run by hand on a machine that does nothing
# else; docs/soak.md holds the last figures and their dates.
#
#   scripts/soak.sh churn [websocket|polling|upgrade] [SECONDS]   clients come, talk and leave (3600)
#   scripts/soak.sh idle [SECONDS]     10,000 WebSockets and 5,000 polling sessions that say nothing (3600)
#   scripts/soak.sh storm              2,000 clients leave and return at once, by each transport, beside Node
#   scripts/soak.sh hold [SECONDS]     10,000 connections and a broadcast a second, beside Node (600)
#   scripts/soak.sh upgrade            500 stock clients that upgrade under 50 messages a second
#   scripts/soak.sh restart            2,000 stock clients whose gateway is killed, or drains, and is back
#   scripts/soak.sh stall [SECONDS]    201 stock clients whose gateway is stopped for so long, and goes on (15)
#   scripts/soak.sh migration [CLIENTS] four instances of Node become ours and Node again, under load (400)
#   scripts/soak.sh outages [SECONDS]  Redis killed three times for so long, under load (20)
#   scripts/soak.sh across [RATE]      four instances, 320 clients; messages a second to all of them (210)
#   scripts/soak.sh conformance [RUNS] every behaviour at 1, 2 and 4 shards, again and again (30)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
bin=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release
children=()
trap 'for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done' EXIT

# serve PORT COMMAND...: starts a server, waits until it answers, leaves its id in `pid`.
serve() {
    local port=$1
    shift
    env -i PATH="$PATH" HOME="$HOME" PORT="$port" "$@" &
    pid=$!
    children+=("$pid")
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            return
        fi
        sleep 0.1
    done
    echo "soak.sh: nothing listens on port $port" >&2
    exit 1
}

build() {
    cargo build --release --locked -p relay -p relay-bench --bins "$@"
}

# npm_in FOLDER: its packages, if they are not there.
npm_in() {
    (cd "$1" && { [[ node_modules/.package-lock.json -nt package-lock.json ]] ||
        npm ci --no-audit --no-fund --loglevel=error; })
}

churn() {
    build
    serve 23001 "$bin/relay"
    "$bin/relay-bench" churn --url ws://127.0.0.1:23001 --pid "$pid" --transport "${1:-websocket}" \
        --seconds "${2:-3600}" --clients 300 --rate 300 --source-addresses 4
}

idle() {
    local idle=(idle --seconds "${1:-3600}" --source-addresses 2)
    build
    serve 23007 "$bin/relay"
    "$bin/relay-bench" "${idle[@]}" --url ws://127.0.0.1:23007 --pid "$pid" --clients 10000 &
    local websocket=$!
    serve 23008 "$bin/relay"
    "$bin/relay-bench" "${idle[@]}" --url ws://127.0.0.1:23008 --pid "$pid" --clients 5000 \
        --transport polling
    wait "$websocket"
}

storm() {
    local transport port=23020
    local storm=("$bin/relay-bench" storm --clients 2000)
    build
    npm_in crates/bench/node
    for transport in websocket polling upgrade; do
        serve "$port" "$bin/relay"
        "${storm[@]}" --transport "$transport" --url "ws://127.0.0.1:$port" --pid "$pid"
        port=$((port + 1))
        serve "$port" node crates/bench/node/server.mjs
        "${storm[@]}" --transport "$transport" --url "ws://127.0.0.1:$port" --pid "$pid"
        port=$((port + 1))
    done
}

hold() {
    local fanout=(fanout --clients 10000 --rate 1 --seconds "${1:-600}" --source-addresses 2)
    build
    npm_in crates/bench/node
    # Both at once: what else the machine does weighs on both.
    serve 23002 "$bin/relay"
    "$bin/relay-bench" "${fanout[@]}" --url ws://127.0.0.1:23002 --pid "$pid" &
    local ours=$!
    serve 23003 node crates/bench/node/server.mjs
    "$bin/relay-bench" "${fanout[@]}" --url ws://127.0.0.1:23003 --pid "$pid" --connect-rate 500
    wait "$ours"
}

upgrade() {
    build
    npm_in tests/e2e/js
    local port=23004 shards
    for shards in 1 2 4; do
        serve "$port" RELAY_SHARDS="$shards" "$bin/relay"
        echo "$shards shards"
        (cd tests/e2e/js && node load/upgrade.mjs "http://127.0.0.1:$port")
        port=$((port + 1))
    done
}

restart() {
    build
    npm_in tests/e2e/js
    local manner
    for manner in kill drain; do
        (cd tests/e2e/js && RELAY_BIN="$bin/relay" node load/restart.mjs "$manner")
    done
}

stall() {
    build
    npm_in tests/e2e/js
    (cd tests/e2e/js && RELAY_BIN="$bin/relay" node load/stall.mjs --seconds "${1:-15}")
}

# What tests/cluster has for this tier.
cluster() {
    build
    npm_in tests/e2e/js
    npm_in tests/cluster
    scripts/services.sh
    (cd tests/cluster && RELAY_BIN=$bin/relay node soak.mjs "$@")
}

migration() {
    cluster migration "$@"
}

outages() {
    cluster outages "$@"
}

across() {
    local port peers=() pids=()
    build
    scripts/services.sh
    serve 23010 redis-server --bind 127.0.0.1 --port 23010 --save '' --appendonly no
    for port in 23011 23012 23013 23014; do
        serve "$port" HOST=127.0.0.1 REDIS_URL=redis://127.0.0.1:23010 RELAY_SHARDS=1 "$bin/relay"
        pids+=(--pid "$pid")
        ((port == 23011)) || peers+=(--peer "ws://127.0.0.1:$port")
    done
    # Of every four deliveries three are at another instance than the sender's.
    "$bin/relay-bench" fanout --url ws://127.0.0.1:23011 "${peers[@]}" "${pids[@]}" \
        --clients 320 --senders 4 --rate "${1:-210}" --seconds 20 --payload-bytes 150
}

conformance() {
    build --example conformance
    npm_in tests/conformance
    cd tests/conformance
    node run.mjs --runs "${1:-30}" --shards 1,2,4 "$bin/examples/conformance"
    cd "$root"
}

case ${1:-} in
churn | idle | storm | hold | upgrade | restart | stall | migration | outages | across | conformance) "$@" ;;
*)
    sed -n '2,15s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
