import io.socket.client.IO;
import io.socket.client.Socket;
import java.net.URI;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** The cases, on every number of shards and for each way to connect, and their sum. */
final class Suite {
    private static final List<Integer> SHARD_COUNTS = List.of(1, 2, 4);
    private static final long TIMEOUT_MS = 10_000;
    /** pingInterval, pingTimeout, and as much again for a slow machine. */
    private static final long HEARTBEAT_MS = 90_000;

    /** By default it polls first and upgrades. */
    private static final Map<String, List<String>> WAYS = new LinkedHashMap<>();

    static {
        WAYS.put("default", List.of());
        WAYS.put("polling", List.of("polling"));
        WAYS.put("websocket", List.of("websocket"));
    }

    interface Case {
        void run(Relay relay, List<String> way) throws Exception;
    }

    private static final Map<String, Case> CASES = new LinkedHashMap<>();

    static {
        CASES.put("the transport", Suite::theTransport);
        CASES.put("the four destinations", Suite::destinations);
        CASES.put("acknowledgements and refusals", Suite::refusals);
        CASES.put("attachments in both directions", Suite::attachments);
        CASES.put("order from the first moment", Suite::order);
        CASES.put("another namespace is refused", Suite::namespaces);
        CASES.put("who disconnects is forgotten", Suite::disconnect);
    }

    private int passed;
    private int failed;

    public static void main(String[] args) throws Exception {
        Suite suite = new Suite();
        // They wait for the better part of a minute, while the others run.
        List<Thread> waiting = WAYS.entrySet().stream().map(suite::waitForReturn).toList();
        for (int shards : SHARD_COUNTS) {
            for (var way : WAYS.entrySet()) suite.runAll(shards, way.getKey(), way.getValue());
        }
        for (Thread thread : waiting) thread.join();
        System.out.printf("%d passed, %d failed%n", suite.passed, suite.failed);
        // The client's threads may live on.
        System.exit(suite.failed == 0 && suite.passed > 0 ? 0 : 1);
    }

    private void runAll(int shards, String way, List<String> transports) {
        String where = String.format(" (RELAY_SHARDS=%d, %s)", shards, way);
        check("the gateway starts, serves and ends" + where, () -> {
            try (Relay relay = Relay.start(shards)) {
                for (var one : CASES.entrySet()) {
                    check(one.getKey() + where, () -> {
                        one.getValue().run(relay, transports);
                        return null;
                    });
                }
            }
            return null;
        });
        check("it returns after a gateway that was killed" + where, () -> {
            afterKill(shards, transports);
            return null;
        });
    }

    private Thread waitForReturn(Map.Entry<String, List<String>> way) {
        Thread thread = new Thread(() -> {
            check("it returns after a gateway that said goodbye (" + way.getKey() + ")", () -> {
                afterGoodbye(way.getValue());
                return null;
            });
        });
        thread.start();
        return thread;
    }

    private void check(String name, Callable<Void> run) {
        try {
            run.call();
            told(name, null);
        } catch (Exception | AssertionError error) {
            told(name, error);
        }
    }

    private synchronized void told(String name, Throwable error) {
        System.out.println((error == null ? "ok   " : "FAIL ") + name);
        if (error == null) {
            passed++;
        } else {
            failed++;
            error.printStackTrace(System.out);
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.deepEquals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", not " + actual);
        }
    }

    private static void eventually(String what, Callable<Boolean> probe) throws Exception {
        long until = System.currentTimeMillis() + TIMEOUT_MS;
        while (!probe.call()) {
            if (System.currentTimeMillis() > until) throw new AssertionError("no " + what);
            Thread.sleep(20);
        }
    }

    private static JSONObject to(String destino) throws JSONException {
        return new JSONObject().put("destino", destino);
    }

    private static byte[] everyByte() {
        byte[] all = new byte[256];
        for (int n = 0; n < all.length; n++) all[n] = (byte) n;
        return all;
    }

    private static void theTransport(Relay relay, List<String> way) throws Exception {
        try (Client client = Client.connect(relay, way)) {
            equal(way.isEmpty() ? "polling" : way.get(0), client.begun);
            settled(client, way);
        }
    }

    /** Waits until it has the transport that it will keep. */
    private static void settled(Client client, List<String> way) throws Exception {
        String last = way.isEmpty() ? "websocket" : way.get(0);
        eventually(last, () -> {
            client.accepted("relay", to("yo"));
            client.next("relay");
            return client.transport.equals(last);
        });
    }

    private static void destinations(Relay relay, List<String> way) throws Exception {
        try (Client client = Client.connect(relay, way); Peer peer = new Peer(relay)) {
            client.accepted("identificar", "ana");
            client.accepted("unirse", "sala");
            client.accepted("relay", to("yo").put("n", 1));
            equal(1, client.next("relay").getInt("n"));
            client.accepted("notificar", to("ustedes").put("s", "ñ😀"));
            peer.expect("42/relay,[\"notificar\",{\"s\":\"ñ😀\",\"destino\":\"ustedes\"}]");
            client.accepted("relay", to("nosotros").put("n", 3));
            equal(3, client.next("relay").getInt("n"));
            equal(true, ((String) peer.frames.take("message")).contains("\"n\":3"));
            client.accepted("relay", to("room").put("room", "sala").put("n", 4));
            equal(4, client.next("relay").getInt("n"));
            // The peer is in no room: what it hears next is not that message.
            peer.ask("[\"relay\",{\"destino\":\"room\",\"room\":\"sala\",\"n\":5}]");
            equal(5, client.next("relay").getInt("n"));
            peer.ask("[\"notificar\",{\"destino\":\"ustedes\",\"list\":[1,1.5,null,\"x\"]}]");
            JSONArray list = client.next("notificar").getJSONArray("list");
            equal("[1,1.5,null,\"x\"]", list.toString());
            equal(true, client.heard.isEmpty() && peer.frames.isEmpty());
        }
    }

    private static void refusals(Relay relay, List<String> way) throws Exception {
        try (Client client = Client.connect(relay, way)) {
            for (var one : Map.of("unirse", "bad_room", "identificar", "bad_user").entrySet()) {
                List<Object> answer = client.ask(one.getKey(), JSONObject.NULL);
                equal(false, answer.get(0));
                equal(one.getValue(), ((JSONObject) answer.get(1)).getString("code"));
            }
            client.socket.emit("relay", to("room"));
            JSONObject error = client.next("relay:error");
            equal("bad_room", error.getString("code"));
            equal("relay", error.getString("event"));
            client.accepted("unirse", 5);
            client.accepted("salir", 5);
        }
    }

    private static void attachments(Relay relay, List<String> way) throws Exception {
        byte[] every = everyByte();
        byte[] large = new byte[300_000];
        Arrays.fill(large, (byte) 7);
        try (Client client = Client.connect(relay, way); Peer peer = new Peer(relay)) {
            JSONObject deep = new JSONObject().put("b", large);
            client.accepted("relay", to("ustedes").put("list", new JSONArray().put(every).put(deep)));
            String packet = (String) peer.frames.take("message");
            equal(true, packet.startsWith("452-/relay,[\"relay\",{"));
            equal(every, peer.frames.take("attachment"));
            equal(large, peer.frames.take("attachment"));
            peer.send("452-/relay,7[\"relay\",{\"destino\":\"nosotros\",\"a\":{\"_placeholder\":true,"
                    + "\"num\":0},\"b\":[{\"_placeholder\":true,\"num\":1}]}]");
            peer.send(every);
            peer.send(large);
            JSONObject data = client.next("relay");
            equal(every, data.get("a"));
            equal(large, data.getJSONArray("b").get(0));
            // Its own copy and its acknowledgement came to the peer as well.
            for (int n = 0; n < 4; n++) peer.frames.take("copy and acknowledgement");
        }
    }

    private static void order(Relay relay, List<String> way) throws Exception {
        int count = 300;
        try (Peer peer = new Peer(relay); Client client = new Client(relay, way)) {
            for (int n = 0; n < count; n++) {
                client.socket.emit("relay", to("nosotros").put("n", n));
                if (n % 10 == 0) Thread.sleep(1);
            }
            for (int n = 0; n < count; n++) {
                equal(n, client.next("relay").getInt("n"));
                String packet = (String) peer.frames.take("message");
                equal(true, packet.contains("\"n\":" + n + "}") || packet.contains("\"n\":" + n + ","));
            }
        }
    }

    private static void namespaces(Relay relay, List<String> way) throws Exception {
        IO.Options options = IO.Options.builder().setForceNew(true).build();
        if (!way.isEmpty()) options.transports = way.toArray(String[]::new);
        Socket socket = IO.socket(URI.create(relay.url() + "/otro"), options);
        Inbox<Object> errors = new Inbox<>();
        socket.on(Socket.EVENT_CONNECT_ERROR, error -> errors.put(error[0]));
        socket.connect();
        JSONObject error = (JSONObject) errors.take("connect_error");
        equal("Invalid namespace", error.getString("message"));
        socket.disconnect();
    }

    private static void disconnect(Relay relay, List<String> way) throws Exception {
        eventually("empty gateway", () -> relay.connections() == 0);
        try (Client client = Client.connect(relay, way)) {
            equal(1, relay.connections());
            client.socket.disconnect();
            equal("io client disconnect", client.ended.take("end"));
            eventually("end of the socket", () -> relay.connections() == 0);
            client.socket.connect();
            client.connected.take("connection");
            client.accepted("unirse", "a");
        }
    }

    private static void afterKill(int shards, List<String> way) throws Exception {
        Relay first = Relay.start(shards);
        try (Client client = new Client(first, way)) {
            String before = client.connected.take("connection");
            client.accepted("unirse", "a");
            // One that loses its server in the middle of an upgrade notices late.
            settled(client, way);
            first.kill();
            try (Relay second = first.next(); Peer peer = new Peer(second)) {
                equal(true, client.ended.take("end").startsWith("transport"));
                equal(false, before.equals(client.connected.take("connection")));
                client.accepted("identificar", "ana");
                client.accepted("unirse", "a");
                peer.ask("[\"relay\",{\"destino\":\"room\",\"room\":\"a\",\"back\":true}]");
                equal(true, client.next("relay").getBoolean("back"));
            }
        }
    }

    /**
     * This client leaves a close frame unanswered and reads no further, so that it does not see the
     * end of the connection: over WebSocket it returns once it misses the heartbeat.
     */
    private static void afterGoodbye(List<String> way) throws Exception {
        Relay first = Relay.start(2);
        try (Client client = Client.connect(first, way)) {
            client.accepted("unirse", "a");
            first.close();
            try (Relay second = first.next()) {
                client.connected.take("return", HEARTBEAT_MS);
                client.accepted("unirse", "a");
                equal(1, second.connections());
            }
        }
    }
}
