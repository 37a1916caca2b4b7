#!/usr/bin/env python3
"""Measures Relay side by side with its opponents and holds the figures against the budget.

Opponents: `floor` (a bare epoll server, `relay-bench floor`), `floor-batch` (the same, all frames
of a pass in one write), `node` (socket.io on Node), `relay-1` (one shard), `relay` (the default
number of shards). Every measurement gets a fresh server process; the opponents of a row take
turns, round after round, so that a machine that changes its mood changes it for all of them.
A ratio is the median over the rounds of the ratio within one round.

    scripts/compare.py --quick
    scripts/compare.py --rows echo,delivery --rounds 5
    scripts/compare.py --without relay,relay-1

The rows of a cluster start two instances of each opponent and a Redis between them.

Needs cargo, node, npm and redis-server, nothing else. Writes compare.md and compare.json to --out.
The exit code is 1 when a "must" is missed or a delivery was lost, 2 when nothing was measured.
"""

import argparse
import contextlib
import dataclasses
import datetime
import itertools
import json
import os
import pathlib
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NODE_DIR = ROOT / "crates" / "bench" / "node"
OPPONENTS = ["floor", "floor-batch", "node", "relay-1", "relay"]
# A server that has not answered by then has failed to start.
START_SECONDS_MAX = 20
# Time for the instances of a cluster to find each other.
CLUSTER_SECONDS = 3
# One measurement never takes longer, a stalled opponent included.
MEASURE_SECONDS_MAX = 600


@dataclasses.dataclass
class Bound:
    """What the budget says about one opponent of a row.

    `subject` is compared with `versus` in the same round, or with the number itself when
    `versus` is None. `must` and `aim` are upper limits.
    """

    subject: str
    versus: str | None
    must: float
    aim: float


@dataclasses.dataclass
class Row:
    """One row of the budget: a scenario of relay-bench and the figure that it yields."""

    name: str
    title: str
    unit: str
    arguments: list[str]
    figure: tuple[str, ...]
    opponents: list[str]
    bounds: list[Bound]
    # Arguments that replace others with --quick, by their name.
    quick: dict[str, str] = dataclasses.field(default_factory=dict)
    # So many instances with a Redis between them; clients take turns among the instances.
    instances: int = 1
    # Once is enough where the figure hardly varies or takes minutes.
    once: bool = False


def seconds(value: int) -> list[str]:
    return ["--seconds", str(value)]


def both(versus: str | None, must: float, aim: float) -> list[Bound]:
    """The same bound for one shard and for the default number."""
    return [Bound(subject, versus, must, aim) for subject in ("relay-1", "relay")]


# Client i is in room i modulo 201, and 402 clients alternate between two instances: each room has
# one member on either.
CROSSING = ["rooms", "--clients", "402", "--rooms", "201", "--rate", "5000", *seconds(10)]

ROWS = [
    Row(
        "delivery",
        "CPU per delivery, 1,000 clients, 40 broadcasts/s",
        "µs",
        ["fanout", "--clients", "1000", "--rate", "40", *seconds(10)],
        ("metrics", "server_cpu_us_per_delivery"),
        ["floor", "node", "relay-1", "relay"],
        both("floor", 1.25, 1.1),
        quick={"--seconds": "3"},
    ),
    Row(
        "burst",
        "800,000 deliveries/s to 1,000 clients, p99",
        "ms",
        ["fanout", "--clients", "1000", "--rate", "800", *seconds(10)],
        ("latency", "fanout", "p99_ms"),
        ["floor-batch", "relay-1", "relay"],
        both("floor-batch", 2.0, 1.3),
        quick={"--seconds": "4"},
    ),
    Row(
        "bystander",
        "p99 of echoes during broadcasts to 18,000, times the quiet p99",
        "×",
        ["bystander", "--clients", "18000", *seconds(20)],
        ("metrics", "loud_to_quiet_ratio"),
        ["node", "relay-1", "relay"],
        both(None, 10, 5),
        quick={"--seconds": "6"},
        once=True,
    ),
    Row(
        "echo",
        "CPU per echo, 5,000/s",
        "µs",
        ["echo", "--clients", "200", "--rate", "5000", *seconds(10)],
        ("metrics", "server_cpu_us_per_message"),
        ["floor", "node", "relay-1", "relay"],
        [Bound("relay-1", "floor", 1.75, 1.3), Bound("relay", "floor", 2.2, 1.6)],
        quick={"--seconds": "3"},
    ),
    Row(
        "rss",
        "RSS per idle connection, 10,000 of them",
        "KiB",
        ["idle", "--clients", "10000", *seconds(1)],
        ("metrics", "rss_kib_per_connection"),
        ["floor", "node", "relay-1", "relay"],
        both(None, 2.5, 1.4),
        once=True,
    ),
    Row(
        "connect",
        "CPU per new connection",
        "µs",
        ["connect", "--clients", "2000", "--rounds", "3"],
        ("metrics", "server_cpu_us_per_connection"),
        ["floor", "node", "relay-1", "relay"],
        both("floor", 2.5, 1.75) + both("node", 1 / 4, 1 / 8),
        quick={"--rounds": "1"},
    ),
    Row(
        "polling-rss",
        "RSS per idle polling session, 5,000 of them",
        "KiB",
        ["idle", "--transport", "polling", "--clients", "5000", *seconds(1)],
        ("metrics", "rss_kib_per_connection"),
        ["node", "relay-1", "relay"],
        both("node", 1 / 2, 1 / 4),
        once=True,
    ),
    Row(
        "polling-delivery",
        "CPU per delivery to 500 polling clients, 4 broadcasts/s",
        "µs",
        # The sender has a WebSocket: its own requests are no part of a delivery.
        ["fanout", "--transport", "polling", "--sender-transport", "websocket"]
        + ["--clients", "500", "--rate", "4", *seconds(10)],
        ("metrics", "server_cpu_us_per_delivery"),
        ["node", "relay-1", "relay"],
        both("node", 1 / 2, 1 / 4),
        quick={"--seconds": "5"},
    ),
    Row(
        "upgrade",
        "CPU per polling handshake and upgrade",
        "µs",
        ["connect", "--transport", "upgrade", "--clients", "1000", "--rounds", "3"],
        ("metrics", "server_cpu_us_per_connection"),
        ["node", "relay-1", "relay"],
        both("node", 1 / 4, 1 / 8),
        quick={"--rounds": "1"},
    ),
    Row(
        "heartbeats",
        "CPU of the heartbeats of 10,000 idle connections",
        "ms/s",
        ["idle", "--clients", "10000", *seconds(75)],
        ("metrics", "server_cpu_ms_per_second"),
        ["node", "relay-1", "relay"],
        both("node", 1 / 3, 1 / 6),
        quick={"--seconds": "50"},
        once=True,
    ),
    Row(
        "growth",
        "Cost per delivery at 18,000 connections, times that at 1,000",
        "×",
        ["growth", "--sizes", "1000,18000", *seconds(15)],
        ("metrics", "cost_growth_ratio"),
        ["floor", "relay-1", "relay"],
        both("floor", 1.15, 1.0),
        quick={"--seconds": "5"},
    ),
    Row(
        "redis",
        "CPU of two instances per message, 5,000/s, each to one client on either instance",
        "µs",
        CROSSING,
        ("metrics", "server_cpu_us_per_message"),
        ["node", "relay-1", "relay"],
        both("node", 1 / 3, 1 / 5),
        quick={"--seconds": "5"},
        instances=2,
    ),
    Row(
        "redis-p99",
        "the same, p99 of the deliveries",
        "ms",
        CROSSING,
        ("latency", "room", "p99_ms"),
        ["node", "relay-1", "relay"],
        both("node", 1.0, 0.5),
        quick={"--seconds": "5"},
        instances=2,
    ),
]


# Below the ports that the kernel gives to outgoing connections (from 32768): there, thousands of
# connections of earlier measurements still wait in TIME_WAIT, and a listener may find its port
# among them.
PORTS = itertools.cycle(range(21000, 31000))


def free_port() -> int:
    """A port that nobody listens on; every measurement gets another."""
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise AssertionError("the cycle does not end")


class Cluster:
    """Instances of one opponent and the Redis between them, as one server to be measured."""

    def __init__(self, opponent: str, binaries: pathlib.Path, count: int):
        self.stack = contextlib.ExitStack()
        self.opponent, self.binaries, self.count = opponent, binaries, count

    def __enter__(self):
        try:
            port = free_port()
            command = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
            redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            self.stack.callback(redis.wait)
            self.stack.callback(redis.terminate)
            more = {"REDIS_URL": f"redis://127.0.0.1:{port}"}
            self.servers = [
                self.stack.enter_context(Server(self.opponent, self.binaries, more))
                for _ in range(self.count)
            ]
            # Whoever found Redis not yet there comes again, and proves its subscriptions.
            time.sleep(CLUSTER_SECONDS)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def measure(self, arguments: list[str]) -> dict:
        first, *others = self.servers
        for other in others:
            arguments = [*arguments, "--peer", other.url(), "--pid", str(other.process.pid)]
        return first.measure(arguments)


class Server:
    """An opponent as a child process on a free port; leaving the context ends it by its id."""

    def __init__(self, opponent: str, binaries: pathlib.Path, more: dict[str, str] | None = None):
        self.port = free_port()
        bench = str(binaries / "relay-bench")
        # Names that resemble a setting of Relay would be refused by it: only what is meant.
        environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
        environment |= {"PORT": str(self.port)} | (more or {})
        directory = ROOT
        match opponent:
            case "floor":
                command = [bench, "floor", "--port", str(self.port)]
            case "floor-batch":
                command = [bench, "floor", "--batch", "--port", str(self.port)]
            case "node":
                command = ["node", "server.mjs"]
                directory = NODE_DIR
            case "relay-1":
                command = [str(binaries / "relay")]
                environment["RELAY_SHARDS"] = "1"
            case _:
                command = [str(binaries / "relay")]
        self.bench = bench
        self.opponent = opponent
        self.log = open(binaries / f"compare-{opponent}.log", "wb")
        self.process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=self.log
        )

    def __enter__(self):
        try:
            self.wait_until_it_answers()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def wait_until_it_answers(self):
        """A listening port is not enough: one client must come into the namespace."""
        deadline = time.monotonic() + START_SECONDS_MAX
        probe = [self.bench, "connect", "--clients", "1", "--rounds", "1", "--url", self.url()]
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.opponent} ended at its start: see {self.log.name}")
            quiet = subprocess.DEVNULL
            if subprocess.run(probe, stdout=quiet, stderr=quiet, timeout=60).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.opponent} does not answer: see {self.log.name}")

    def measure(self, arguments: list[str]) -> dict:
        command = [self.bench, *arguments, "--url", self.url(), "--pid", str(self.process.pid)]
        command += ["--source-addresses", "8", "--json", "-"]
        done = subprocess.run(command, capture_output=True, timeout=MEASURE_SECONDS_MAX)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        return json.loads(done.stdout)


def build(with_relay: bool, with_node: bool) -> pathlib.Path:
    """Builds what is compared; returns the folder of the binaries."""
    packages = ["-p", "relay-bench"] + (["-p", "relay"] if with_relay else [])
    subprocess.run(["cargo", "build", "--release", *packages], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    found = subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True)
    if with_node:
        install = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(install, cwd=NODE_DIR, check=True)
    return pathlib.Path(json.loads(found.stdout)["target_directory"]) / "release"


def arguments_of(row: Row, quick: bool) -> list[str]:
    arguments = list(row.arguments)
    for name, value in row.quick.items() if quick else ():
        arguments[arguments.index(name) + 1] = value
    return arguments


def measure_row(row: Row, rounds: int, quick: bool, without: set[str], binaries) -> dict:
    """All measurements of a row: by opponent, one report (or None) for each round."""
    opponents = [opponent for opponent in row.opponents if opponent not in without]
    reports = {opponent: [] for opponent in opponents}
    for number in range(1 if row.once else rounds):
        # Every second round goes backwards: nobody always runs after the same neighbour.
        for opponent in opponents if number % 2 == 0 else reversed(opponents):
            try:
                many = row.instances > 1
                made = Cluster(opponent, binaries, row.instances) if many else None
                with made or Server(opponent, binaries) as server:
                    report = server.measure(arguments_of(row, quick))
                value = figure(row, report)
                print(f"  {row.name:<16} {opponent:<12} {value} {row.unit}", file=sys.stderr)
            except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
                print(f"  {row.name:<16} {opponent:<12} failed: {error}", file=sys.stderr)
                report = None
            reports[opponent].append(report)
    return reports


def figure(row: Row, report: dict | None) -> float | None:
    value = report
    for key in row.figure:
        value = value.get(key) if value else None
    return value


def median(values: list) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratios(row: Row, reports: dict, bound: Bound) -> list:
    subject = [figure(row, report) for report in reports.get(bound.subject, [])]
    if bound.versus is None:
        return subject
    versus = [figure(row, report) for report in reports.get(bound.versus, [])]
    # A cost of 0 (nothing was seen of it) makes no ratio.
    return [a / b if a is not None and b else None for a, b in zip(subject, versus)]


def verdict(value: float | None, bound: Bound) -> str:
    if value is None:
        return "not measured"
    if value <= bound.aim:
        return "aim"
    return "must" if value <= bound.must else "MISSED"


def compact(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def marks(reports: list) -> str:
    """`!` after a figure that the generator may have spoilt, `✗` after one with faults."""
    known = [report for report in reports if report]
    mark = "!" if any(report["generator_fell_behind"] for report in known) else ""
    return mark + ("✗" if any(report["faults"] for report in known) else "")


def tables(results: list[tuple[Row, dict]]) -> tuple[str, list[dict]]:
    """The absolute figures and the ratios as markdown, and the verdicts as data."""
    lines = ["| figure (median) | unit | " + " | ".join(OPPONENTS) + " |"]
    lines.append("|---|---|" + "---|" * len(OPPONENTS))
    for row, reports in results:
        cells = []
        for opponent in OPPONENTS:
            of_opponent = reports.get(opponent, [])
            value = median([figure(row, report) for report in of_opponent])
            cells.append(compact(value) + marks(of_opponent))
        lines.append(f"| {row.title} | {row.unit} | " + " | ".join(cells) + " |")
    lines += ["", "`!` the generator fell behind; `✗` deliveries were lost or connections ended."]
    lines += ["", "| budget | who | against | measured | must | aim | verdict |"]
    lines.append("|---|---|---|---|---|---|---|")
    verdicts = []
    for row, reports in results:
        for bound in row.bounds:
            value = median(ratios(row, reports, bound))
            says = verdict(value, bound)
            against = bound.versus or "absolute"
            unit = " ×" if bound.versus else f" {row.unit}"
            cells = [row.title, bound.subject, against, compact(value) + unit]
            cells += ["≤ " + compact(bound.must), "≤ " + compact(bound.aim), says]
            lines.append("| " + " | ".join(cells) + " |")
            verdicts.append(
                {"row": row.name, "measured": value, "verdict": says} | dataclasses.asdict(bound)
            )
    return "\n".join(lines) + "\n", verdicts


def machine() -> str:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}, {os.cpu_count()} CPUs, Linux {platform.release()}, load {os.getloadavg()[0]}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [row.name for row in ROWS]
    parser.add_argument("--quick", action="store_true", help="short runs, one round")
    parser.add_argument("--rounds", type=int, help="rounds of each row [3, with --quick 1]")
    parser.add_argument("--rows", default=",".join(names), help=f"of {','.join(names)}")
    parser.add_argument("--without", default="", help=f"of {','.join(OPPONENTS)}")
    parser.add_argument("--out", type=pathlib.Path, help="folder [target/compare]")
    arguments = parser.parse_args()
    arguments.rows = arguments.rows.split(",")
    arguments.without = set(filter(None, arguments.without.split(",")))
    for given, known in ((arguments.rows, names), (arguments.without, OPPONENTS)):
        for name in given:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    if arguments.rounds is None:
        arguments.rounds = 1 if arguments.quick else 3
    return arguments


def main() -> int:
    arguments = parse_arguments()
    # An end by a signal still leaves every `with` block, which ends the child.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with_relay = not {"relay", "relay-1"} <= arguments.without
    binaries = build(with_relay, "node" not in arguments.without)
    out = arguments.out or binaries.parent / "compare"
    out.mkdir(parents=True, exist_ok=True)
    before = machine()
    results = []
    for row in ROWS:
        if row.name in arguments.rows:
            rounds, without = arguments.rounds, arguments.without
            results.append(
                (row, measure_row(row, rounds, arguments.quick, without, binaries))
            )
    text, verdicts = tables(results)
    heading = f"{before}; {'quick' if arguments.quick else 'full'}, {arguments.rounds} rounds\n\n"
    print(heading + text)
    (out / "compare.md").write_text(heading + text)
    raw = {row.name: reports for row, reports in results}
    document = {"machine": before, "verdicts": verdicts, "reports": raw}
    (out / "compare.json").write_text(json.dumps(document, indent=1, ensure_ascii=False))
    known = [r for reports in raw.values() for rs in reports.values() for r in rs if r]
    if not known:
        return 2
    missed = any(entry["verdict"] == "MISSED" for entry in verdicts)
    # The floor has no back-pressure and Node collapses: only our own faults count.
    own = [r for reports in raw.values() for name in ("relay", "relay-1") for r in reports.get(name, [])]
    return 1 if missed or any(r is None or r["faults"] for r in own) else 0


if __name__ == "__main__":
    sys.exit(main())
