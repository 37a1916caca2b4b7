"""The stock asyncio client, each way it connects: all destinations, rooms, acknowledgements, binary."""

import asyncio
import itertools
import unittest

import socketio

from relay import WAYS, Relay, on_every_way

TIMEOUT_S = 10
NAMESPACE = "/relay"
_markers = itertools.count(1)


class Client:
    """A client that keeps every event it hears."""

    def __init__(self):
        self._io = socketio.AsyncClient(reconnection=False)
        self._heard = []
        self._news = asyncio.Condition()
        self._io.on("*", self._hear, namespace=NAMESPACE)

    @classmethod
    async def connect(cls, relay, way):
        client = cls()
        await client._io.connect(
            relay.url,
            namespaces=[NAMESPACE],
            transports=WAYS[way],
            wait_timeout=TIMEOUT_S,
        )
        return client

    @property
    def transport(self):
        return self._io.transport()

    @property
    def id(self):
        return self._io.get_sid(NAMESPACE)

    async def emit(self, event, *args):
        await self._io.emit(event, args, namespace=NAMESPACE)

    async def ask(self, event, *args):
        """Emits and returns the arguments of the acknowledgement."""
        answer = await self._io.call(event, args, namespace=NAMESPACE, timeout=TIMEOUT_S)
        return answer if isinstance(answer, (list, tuple)) else (answer,)

    async def heard_until(self, marker):
        """What was heard before the marker; taken from the record, with the marker."""

        def place():
            for index, (_, args) in enumerate(self._heard):
                if args and isinstance(args[0], dict) and args[0].get("marker") == marker:
                    return index
            return None

        async with self._news:
            heard = self._news.wait_for(lambda: place() is not None)
            await asyncio.wait_for(heard, TIMEOUT_S)
            before = self._heard[: place()]
            del self._heard[: len(before) + 1]
        return before

    async def heard_count(self, count):
        """The first `count` events, once they are there."""
        async with self._news:
            heard = self._news.wait_for(lambda: len(self._heard) >= count)
            await asyncio.wait_for(heard, TIMEOUT_S)
            return self._heard[:count]

    async def close(self):
        await self._io.disconnect()

    async def _hear(self, event, *args):
        async with self._news:
            self._heard.append((event, args))
            self._news.notify_all()


async def heard_of(sender, *receivers):
    """What the receivers have heard of the sender: see the blocking client's tests."""
    marker = f"marker {next(_markers)}"
    await sender.emit("notificar", {"destino": "nosotros", "marker": marker})
    return [await receiver.heard_until(marker) for receiver in receivers]


class AsyncioClient:
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

    async def clients(self, count):
        made = []
        for _ in range(count):
            client = await Client.connect(self.relay, self.way)
            self.addAsyncCleanup(client.close)
            made.append(client)
        return made

    async def test_the_transport(self):
        (client,) = await self.clients(1)
        expected = "polling" if self.way == "polling" else "websocket"
        for _ in range(3):
            self.assertEqual(await client.ask("relay", {}), (True,))
            self.assertEqual(client.transport, expected)

    async def test_clients_of_all_ways_meet(self):
        crowd = []
        for way in WAYS:
            client = await Client.connect(self.relay, way)
            self.addAsyncCleanup(client.close)
            crowd.append(client)
            self.assertEqual(await client.ask("unirse", "mezcla"), (True,))
        for n in range(40):
            data = {"destino": "room", "room": "mezcla", "n": n, "b": bytes([n])}
            await crowd[n % len(crowd)].emit("relay", data)
        sequences = [await client.heard_count(40) for client in crowd]
        for sequence in sequences:
            self.assertEqual(sequence, sequences[0])

    async def test_the_four_destinations(self):
        sender, member, other = await self.clients(3)
        self.assertEqual(await member.ask("unirse", "sala"), (True,))
        for destino, expected in (
            ("yo", (1, 0, 0)),
            ("ustedes", (0, 1, 1)),
            ("nosotros", (1, 1, 1)),
            ("room", (0, 1, 0)),
        ):
            with self.subTest(destino=destino):
                data = {"destino": destino, "room": "sala", "s": "ñ😀"}
                await sender.emit("relay", data)
                heard = await heard_of(sender, sender, member, other)
                self.assertEqual(tuple(map(len, heard)), expected)
                for events in heard:
                    for one in events:
                        self.assertEqual(one, ("relay", (data,)))

    async def test_acknowledgements_and_refusals(self):
        (client,) = await self.clients(1)
        self.assertEqual(await client.ask("identificar", {"id": 1}), (True,))
        self.assertEqual(await client.ask("relay", 5), (True,))
        accepted, error = await client.ask("relay", None)
        self.assertEqual((accepted, error["code"]), (False, "bad_data"))
        accepted, error = await client.ask("unirse", {})
        self.assertEqual((accepted, error["code"]), (False, "bad_room"))

    async def test_rooms(self):
        sender, one, two = await self.clients(3)
        await one.ask("unirse", "a")
        await two.ask("unirse", ["a", 5])
        for room, expected in (("a", (1, 1)), (5, (0, 1)), (["a", 5], (1, 1)), (two.id, (0, 1))):
            with self.subTest(room=room):
                await sender.emit("relay", {"destino": "room", "room": room})
                heard = await heard_of(sender, one, two)
                self.assertEqual(tuple(map(len, heard)), expected)
        await two.ask("salir", 5)
        await sender.emit("relay", {"destino": "room", "room": 5})
        self.assertEqual(await heard_of(sender, two), [[]])

    async def test_binary_with_acknowledgement(self):
        sender, receiver = await self.clients(2)
        data = {"destino": "ustedes", "a": bytes(range(256)), "b": [b"", b"x" * 300_000]}
        self.assertEqual(await sender.ask("notificar", data), (True,))
        self.assertEqual(await heard_of(sender, receiver), [[("notificar", (data,))]])

    async def test_order_among_many(self):
        crowd = await self.clients(10)
        for n in range(20):
            await asyncio.gather(
                *(
                    client.emit("relay", {"destino": "nosotros", "who": who, "n": n})
                    for who, client in enumerate(crowd)
                )
            )
        sequences = [await client.heard_count(200) for client in crowd]
        for sequence in sequences:
            self.assertEqual(sequence, sequences[0])


globals().update(on_every_way(AsyncioClient, unittest.IsolatedAsyncioTestCase))


if __name__ == "__main__":
    unittest.main()
