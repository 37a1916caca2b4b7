"""Starts and ends the gateway under test. Knows nothing of what is said to it."""

import json
import os
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request

SHARD_COUNTS = (1, 2, 4)

# Nobody waits for polls of clients that do not come again.
BRIEF_END = {"DRAIN_WINDOW": "0", "DRAIN_DEADLINE": "5"}

# What a client is told about transports: without a word it opens its session by polling and a
# WebSocket for it at once, before any poll.
WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}
PORTS = range(12_000, 30_000)
START_ATTEMPTS = 5
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 15


class Relay:
    """One gateway process that answers."""

    def __init__(self, shards, port=None):
        for _ in range(START_ATTEMPTS if port is None else 1):
            self.port = port or _free_port()
            self._process = self._launch(shards)
            if self._answers():
                return
            self._process.kill()
            output, _ = self._process.communicate()
            # Somebody may have taken the port in between.
            if b"in use" not in output:
                break
        raise RuntimeError(f"the gateway did not start: {output!r}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def health(self):
        with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
            return json.load(response)

    def stop(self):
        """Ends it as an operator would: its exit code."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        return self._process.returncode

    def kill(self):
        """Ends it without a goodbye."""
        self._process.kill()
        self._process.communicate()

    def _launch(self, shards):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [os.environ["RELAY_BIN"]],
            env={**kept, **BRIEF_END, "PORT": str(self.port), "RELAY_SHARDS": str(shards)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _answers(self):
        until = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < until:
            try:
                self.health()
                return self._process.poll() is None
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        return False


def on_every_way(cases, kind):
    """The test classes of some cases: one for each number of shards and each way to connect."""
    made = {}
    for shards in SHARD_COUNTS:
        for way in WAYS:
            name = f"{cases.__name__}On{shards}ShardsBy{way.capitalize()}"
            attributes = {"shards": shards, "way": way, "__module__": cases.__module__}
            made[name] = type(name, (cases, kind), attributes)
    return made


def _free_port():
    """Below the ports of outgoing connections, any of which may be held by a client."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
