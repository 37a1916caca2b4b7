#!/usr/bin/env bash
# Four gateways on one Redis behind HAProxy, as plain processes of this machine:
#
#   scripts/cluster.sh start      starts those that do not run, and returns once each of them answers
#   scripts/cluster.sh status     says what runs, where
#   scripts/cluster.sh stop       ends them: gateways, then HAProxy, then Redis
#   scripts/cluster.sh run        starts them, and ends them at Ctrl-C
#
#   --port 5000                   clients connect here ($CLUSTER_PORT); what follows is behind it:
#   --relay-ports 5001            the first of the gateways' four ports ($CLUSTER_RELAY_PORTS)
#   --redis-port 5005             Redis ($CLUSTER_REDIS_PORT)
#   --peer-port 5006              HAProxy's own, for its reloads ($CLUSTER_PEER_PORT)
#   --dir target/cluster          pid files, logs, HAProxy's socket ($CLUSTER_DIR)
#   --relay target/release/relay  the gateway; it is built without this flag ($CLUSTER_RELAY)
#   --without-redis               gateways that do not know of each other
#
# Only 127.0.0.1 is listened on. The gateways read settings from the environment (RELAY_SHARDS=1,
# DRAIN_WINDOW=10…), not from a file. It all ends by process id; nothing that somebody else started is
# touched. HAProxy runs with deploy/haproxy/haproxy.cfg as it is.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A cold start on a busy machine takes some seconds; the end as long as the gateways' DRAIN_DEADLINE.
START_SECONDS=60
STOP_SECONDS=40
GATEWAYS=(one two three four)

die() {
    printf 'cluster.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

# ---- Processes ---------------------------------------------------------------------------------

# When a process started, in ticks: with its number it is one process for all time. What stands in
# parentheses is its name, which may hold anything.
started() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [[ $1 != Z ]] && printf '%s\n' "${20}"
}

# pid_of NAME: its process, if it is the one that was started here.
pid_of() {
    local pid since
    read -r pid since 2>/dev/null <"$dir/$1.pid" || return 1
    [[ $(started "$pid") == "$since" ]] && printf '%s\n' "$pid"
}

# launch NAME COMMAND...: starts it in a session of its own, so that Ctrl-C is ours to handle.
launch() {
    local name=$1 pid
    shift
    setsid "$@" </dev/null >"$dir/$name.log" 2>&1 &
    pid=$!
    printf '%s %s\n' "$pid" "$(started "$pid")" >"$dir/$name.pid"
}

# await NAME COMMAND...: until the command succeeds; fails if the process ends, or takes too long.
await() {
    local name=$1 until=$((SECONDS + START_SECONDS))
    shift
    until "$@" >/dev/null 2>&1; do
        if ! pid_of "$name" >/dev/null; then
            tail -n 20 "$dir/$name.log" >&2
            die "$name did not start"
        fi
        ((SECONDS < until)) || die "$name does not answer; its log is $dir/$name.log"
        sleep 0.1
    done
}

# end NAME...: asks all of them to end, and waits; kills what does not obey.
end() {
    local name pid until=$((SECONDS + STOP_SECONDS))
    for name in "$@"; do
        if pid=$(pid_of "$name"); then
            kill -TERM "$pid" 2>/dev/null || true
        fi
    done
    for name in "$@"; do
        while pid=$(pid_of "$name"); do
            if ((SECONDS >= until)); then
                echo "cluster.sh: $name does not end: it is killed" >&2
                kill -KILL "$pid" 2>/dev/null || true
            fi
            sleep 0.1
        done
        rm -f "$dir/$name.pid"
    done
}

# ---- What is started ---------------------------------------------------------------------------

redis_answers() {
    [[ $(redis-cli -p "$redis_port" ping) == PONG ]]
}

gateway_answers() {
    "$relay" health --url "http://127.0.0.1:$1$2"
}

start_redis() {
    ! pid_of redis >/dev/null || return 0
    launch redis redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --appendonly no \
        --dir "$dir"
    await redis redis_answers
}

start_gateways() {
    local i settings=(HOST=127.0.0.1 TRUSTED_PROXIES=127.0.0.1 "DRAIN_DELAY=${DRAIN_DELAY:-5}")
    ((with_redis == 0)) || settings+=("REDIS_URL=redis://127.0.0.1:$redis_port")
    for i in "${!GATEWAYS[@]}"; do
        ! pid_of "${GATEWAYS[i]}" >/dev/null || continue
        # RELAY_BIN, which the tests use, is no setting of the gateway.
        (cd "$dir" && launch "${GATEWAYS[i]}" env -u RELAY_BIN "${settings[@]}" \
            "PORT=$((relay_ports + i))" "INSTANCE_ID=${GATEWAYS[i]}" "$relay")
    done
    for i in "${!GATEWAYS[@]}"; do
        await "${GATEWAYS[i]}" gateway_answers "$((relay_ports + i))" /ready
    done
}

start_haproxy() {
    ! pid_of haproxy >/dev/null || return 0
    local i settings=("FRONT_BIND=127.0.0.1:$port" "PEER_BIND=127.0.0.1:$peer_port")
    # Within the folder: the path of a socket may have no more than a hundred characters.
    settings+=("ADMIN_SOCKET=unix@admin.sock")
    for i in "${!GATEWAYS[@]}"; do
        settings+=("UPSTREAM_$((i + 1))=127.0.0.1:$((relay_ports + i))")
    done
    (cd "$dir" && launch haproxy env "${settings[@]}" \
        haproxy -W -f "$root/deploy/haproxy/haproxy.cfg")
    await haproxy gateway_answers "$port" /health
}

start() {
    "$root/scripts/services.sh"
    if [[ -z $relay ]]; then
        (cd "$root" && cargo build --release --locked -p relay --bin relay)
        relay=$(cd "$root" && realpath -m "${CARGO_TARGET_DIR:-target}")/release/relay
    fi
    [[ -x $relay ]] || die "there is no gateway at $relay"
    relay=$(realpath "$relay")
    # Whatever ends this before all is up takes along what is.
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    ((with_redis == 0)) || start_redis
    start_gateways
    start_haproxy
    trap - EXIT INT TERM HUP
    status
}

stop() {
    trap - EXIT
    # Gateways first: their clients are told, and what they still say reaches the others.
    end "${GATEWAYS[@]}"
    end haproxy
    end redis
    rm -f "$dir/admin.sock"
}

status() {
    local i name pid where wrong=0
    for name in haproxy "${GATEWAYS[@]}" redis; do
        case $name in
            haproxy) where=$port ;;
            redis)
                where=$redis_port
                ((with_redis)) || continue
                ;;
            *)
                for i in "${!GATEWAYS[@]}"; do
                    [[ ${GATEWAYS[i]} != "$name" ]] || where=$((relay_ports + i))
                done
                ;;
        esac
        if pid=$(pid_of "$name"); then
            printf '%-8s 127.0.0.1:%-6s pid %s\n' "$name" "$where" "$pid"
        else
            printf '%-8s does not run\n' "$name"
            wrong=1
        fi
    done
    return "$wrong"
}

run() {
    start
    trap 'echo; stop; exit 0' INT TERM HUP
    echo "Ctrl-C ends it; logs are in $dir"
    while status >/dev/null; do
        sleep 1
    done
    status
    stop
    exit 1
}

# ---- What is asked -----------------------------------------------------------------------------

command=${1:-}
shift || true
dir=${CLUSTER_DIR:-$root/target/cluster}
relay=${CLUSTER_RELAY:-}
port=${CLUSTER_PORT:-5000}
relay_ports=${CLUSTER_RELAY_PORTS:-}
redis_port=${CLUSTER_REDIS_PORT:-}
peer_port=${CLUSTER_PEER_PORT:-}
with_redis=1
while (($# > 0)); do
    flag=$1
    shift
    if [[ $flag == --without-redis ]]; then
        with_redis=0
        continue
    fi
    (($# > 0)) || die "$flag needs a value"
    case $flag in
        --port) port=$1 ;;
        --relay-ports) relay_ports=$1 ;;
        --redis-port) redis_port=$1 ;;
        --peer-port) peer_port=$1 ;;
        --dir) dir=$1 ;;
        --relay) relay=$1 ;;
        *) die "$flag is no flag; see scripts/cluster.sh --help" ;;
    esac
    shift
done
relay_ports=${relay_ports:-$((port + 1))}
redis_port=${redis_port:-$((port + 5))}
peer_port=${peer_port:-$((port + 6))}
mkdir -p "$dir"
dir=$(realpath "$dir")

case $command in
    start | stop | status | run) "$command" ;;
    -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
