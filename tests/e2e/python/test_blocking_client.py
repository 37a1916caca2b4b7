"""The stock blocking client, each way it connects: all destinations, rooms, acknowledgements, binary."""

import itertools
import queue
import threading
import unittest

import socketio

from relay import WAYS, Relay, on_every_way

TIMEOUT_S = 10
NAMESPACE = "/relay"
_markers = itertools.count(1)


def in_order(client):
    """The library handles each message on a thread of its own, at times a later one first."""
    trigger = client.eio._trigger_event
    messages = queue.SimpleQueue()

    def work():
        while True:
            trigger("message", *messages.get())

    def one_by_one(event, *args, **options):
        if event == "message":
            return messages.put(args)
        return trigger(event, *args, **options)

    threading.Thread(target=work, daemon=True).start()
    client.eio._trigger_event = one_by_one


class Client:
    """A client that keeps every event it hears."""

    def __init__(self, relay, way, **options):
        self._io = socketio.Client(**{"reconnection": False, **options})
        in_order(self._io)
        self._heard = []
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._begun = threading.Semaphore(0)
        self._io.on("*", self._hear, namespace=NAMESPACE)
        self._io.on("disconnect", lambda *_: self._ended.set(), namespace=NAMESPACE)
        self._io.on("connect", self._begun.release, namespace=NAMESPACE)
        self._io.connect(
            relay.url,
            namespaces=[NAMESPACE],
            transports=WAYS[way],
            wait_timeout=TIMEOUT_S,
        )

    @property
    def transport(self):
        return self._io.transport()

    @property
    def id(self):
        return self._io.get_sid(NAMESPACE)

    @property
    def connected(self):
        return NAMESPACE in self._io.namespaces

    def emit(self, event, *args):
        self._io.emit(event, args, namespace=NAMESPACE)

    def ask(self, event, *args):
        """Emits and returns the arguments of the acknowledgement."""
        answer = self._io.call(event, args, namespace=NAMESPACE, timeout=TIMEOUT_S)
        return answer if isinstance(answer, (list, tuple)) else (answer,)

    def heard_until(self, marker):
        """What was heard before the marker; taken from the record, with the marker."""

        def place():
            for index, (_, args) in enumerate(self._heard):
                if args and isinstance(args[0], dict) and args[0].get("marker") == marker:
                    return index
            return None

        with self._news:
            if not self._news.wait_for(lambda: place() is not None, TIMEOUT_S):
                raise AssertionError(f"no {marker}")
            before = self._heard[: place()]
            del self._heard[: len(before) + 1]
        return before

    def wait_for_connection(self):
        """Waits for one connection that was not waited for yet."""
        return self._begun.acquire(timeout=2 * TIMEOUT_S)

    def wait_for_end(self):
        return self._ended.wait(TIMEOUT_S)

    def close(self):
        self._io.disconnect()

    def _hear(self, event, *args):
        with self._news:
            self._heard.append((event, args))
            self._news.notify_all()


def heard_of(sender, *receivers):
    """What the receivers have heard of the sender. What one sender sends arrives in order, so a
    last message to everyone tells that all before it has arrived."""
    marker = f"marker {next(_markers)}"
    sender.emit("notificar", {"destino": "nosotros", "marker": marker})
    return [receiver.heard_until(marker) for receiver in receivers]


class BlockingClient:
    """The cases; a subclass says on how many shards and which way clients connect."""

    shards = 0
    way = ""

    @classmethod
    def setUpClass(cls):
        cls.relay = Relay(cls.shards)

    @classmethod
    def tearDownClass(cls):
        code = cls.relay.stop()
        if code != 0:
            raise AssertionError(f"the gateway ended with {code}")

    def clients(self, count):
        made = []
        for _ in range(count):
            client = Client(self.relay, self.way)
            self.addCleanup(client.close)
            made.append(client)
        return made

    def test_the_transport(self):
        (client,) = self.clients(1)
        expected = "polling" if self.way == "polling" else "websocket"
        for _ in range(3):
            self.assertEqual(client.ask("relay", {}), (True,))
            self.assertEqual(client.transport, expected)

    def test_the_four_destinations(self):
        sender, member, other = self.clients(3)
        self.assertEqual(member.ask("unirse", "sala"), (True,))
        for event in ("relay", "notificar"):
            for destino, expected in (
                ("yo", (1, 0, 0)),
                ("ustedes", (0, 1, 1)),
                ("nosotros", (1, 1, 1)),
                ("room", (0, 1, 0)),
                ("otro", (1, 0, 0)),
            ):
                with self.subTest(event=event, destino=destino):
                    data = {"destino": destino, "room": "sala", "n": [1, 1.5, None, "ñ"]}
                    sender.emit(event, data)
                    heard = heard_of(sender, sender, member, other)
                    self.assertEqual(tuple(map(len, heard)), expected)
                    for events in heard:
                        for one in events:
                            self.assertEqual(one, (event, (data,)))

    def test_acknowledgements(self):
        (client,) = self.clients(1)
        self.assertEqual(client.ask("identificar", "ana"), (True,))
        self.assertEqual(client.ask("identificar", 7), (True,))
        self.assertEqual(client.ask("unirse", "a"), (True,))
        self.assertEqual(client.ask("relay", {"destino": "nosotros"}), (True,))
        self.assertEqual(client.ask("salir", "a"), (True,))

    def test_refusals(self):
        (client,) = self.clients(1)
        for event, args, code in (
            ("relay", (None,), "bad_data"),
            ("relay", (), "bad_data"),
            ("notificar", ({"destino": "room"},), "bad_room"),
            ("unirse", ("",), "bad_room"),
            ("unirse", ("~x",), "bad_room"),
            ("identificar", (None,), "bad_user"),
            ("identificar", ("x" * 2000,), "too_large"),
            ("nada", (), "bad_data"),
        ):
            with self.subTest(event=event, code=code):
                accepted, error = client.ask(event, *args)
                self.assertIs(accepted, False)
                self.assertEqual(error["code"], code)
                self.assertIsInstance(error["message"], str)

    def test_relay_error_without_acknowledgement(self):
        client, other = self.clients(2)
        client.emit("relay", None)
        own, others = heard_of(client, client, other)
        self.assertEqual(others, [])
        ((event, (error,)),) = own
        self.assertEqual(event, "relay:error")
        self.assertEqual((error["event"], error["code"]), ("relay", "bad_data"))

    def test_rooms(self):
        sender, one, two = self.clients(3)
        one.ask("unirse", "a")
        two.ask("unirse", ["a", "b", 5])
        for room, expected in (
            ("a", (1, 1)),
            ("b", (0, 1)),
            (5, (0, 1)),
            ("5", (0, 0)),
            (["a", "b", 5], (1, 1)),
            (one.id, (1, 0)),
        ):
            with self.subTest(room=room):
                sender.emit("relay", {"destino": "room", "room": room})
                heard = heard_of(sender, one, two)
                self.assertEqual(tuple(map(len, heard)), expected)

    def test_binary(self):
        sender, receiver = self.clients(2)
        every = bytes(range(256))
        for data in (
            {"destino": "ustedes", "a": every, "b": [b"", {"c": every * 100}]},
            {"destino": "nosotros", "list": [bytes([n]) * n for n in range(10)]},
        ):
            self.assertEqual(sender.ask("relay", data), (True,))
            (heard,) = heard_of(sender, receiver)
            self.assertEqual(heard, [("relay", (data,))])

    def test_order(self):
        sender, receiver = self.clients(2)
        for n in range(200):
            data = {"destino": "ustedes", "n": n}
            if n % 3 == 0:
                data["b"] = bytes(n)
            sender.emit("relay", data)
        (heard,) = heard_of(sender, receiver)
        self.assertEqual([args[0]["n"] for _, args in heard], list(range(200)))

    def test_a_large_message(self):
        sender, receiver = self.clients(2)
        data = {"destino": "ustedes", "s": "x" * 900_000}
        self.assertEqual(sender.ask("relay", data), (True,))
        (heard,) = heard_of(sender, receiver)
        self.assertEqual(heard, [("relay", (data,))])

    def test_an_unknown_namespace_is_refused(self):
        client = socketio.Client(reconnection=False)
        with self.assertRaises(socketio.exceptions.ConnectionError):
            client.connect(
                self.relay.url,
                namespaces=["/otro"],
                transports=WAYS[self.way],
                wait_timeout=TIMEOUT_S,
            )
        client.disconnect()

    def test_a_disconnect_is_seen(self):
        stays, goes = self.clients(2)
        goes.ask("unirse", "a")
        goes.close()
        stays.emit("relay", {"destino": "room", "room": "a"})
        self.assertEqual(heard_of(stays, stays), [[]])
        self.assertTrue(stays.connected)

    def test_the_end_of_the_gateway_is_seen(self):
        relay = Relay(self.shards)
        client = Client(relay, self.way)
        self.assertEqual(client.ask("relay", {}), (True,))
        self.assertEqual(relay.stop(), 0)
        self.assertTrue(client.wait_for_end())

    def test_it_returns_to_the_next_gateway(self):
        first = Relay(self.shards)
        delays = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.5}
        client = Client(first, self.way, reconnection=True, **delays)
        self.addCleanup(client.close)
        self.assertTrue(client.wait_for_connection())
        before = client.id
        if self.way == "polling":
            # Told by a close packet, as any server ends such a session, this client stays away.
            first.kill()
        else:
            self.assertEqual(first.stop(), 0)
        self.assertTrue(client.wait_for_end())
        second = Relay(self.shards, port=first.port)
        self.addCleanup(second.stop)
        self.assertTrue(client.wait_for_connection())
        self.assertNotEqual(client.id, before)
        self.assertEqual(client.ask("unirse", "a"), (True,))
        data = {"destino": "room", "room": "a", "b": b"back"}
        self.assertEqual(client.ask("relay", data), (True,))
        self.assertEqual(heard_of(client, client), [[("relay", (data,))]])


globals().update(on_every_way(BlockingClient, unittest.TestCase))


if __name__ == "__main__":
    unittest.main()
