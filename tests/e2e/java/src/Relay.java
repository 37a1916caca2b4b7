import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** Starts and ends the gateway under test. Knows nothing of what is said to it. */
final class Relay implements AutoCloseable {
    private static final int PORTS_FROM = 12_000;
    private static final int PORTS = 18_000;
    private static final int START_ATTEMPTS = 5;
    private static final Duration START_TIMEOUT = Duration.ofSeconds(20);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(15);
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    final int port;
    private final int shards;
    private final Process process;

    private Relay(int shards, int port) throws IOException {
        this.shards = shards;
        this.port = port;
        ProcessBuilder builder = new ProcessBuilder(System.getenv("RELAY_BIN"));
        Map<String, String> env = builder.environment();
        // Nothing that configures the gateway is inherited.
        env.keySet().retainAll(Set.of("PATH", "HOME", "LANG"));
        env.put("PORT", Integer.toString(port));
        env.put("RELAY_SHARDS", Integer.toString(shards));
        // Nobody waits for polls of clients that do not come again.
        env.put("DRAIN_WINDOW", "0");
        env.put("DRAIN_DEADLINE", "5");
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD);
        process = builder.start();
    }

    /** A gateway that answers, on a free port. */
    static Relay start(int shards) throws IOException, InterruptedException {
        for (int attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
            Relay relay = new Relay(shards, freePort());
            if (relay.answers()) return relay;
            relay.kill();
        }
        throw new IOException("the gateway did not start");
    }

    /** Starts another one on the port of this one, which has ended. */
    Relay next() throws IOException, InterruptedException {
        Relay next = new Relay(shards, port);
        if (!next.answers()) throw new IOException("the gateway did not start again");
        return next;
    }

    String url() {
        return "http://127.0.0.1:" + port;
    }

    /** The sockets of `/relay`, as the gateway counts them. */
    int connections() throws IOException, InterruptedException {
        String body = health();
        int from = body.indexOf("\"connections\":") + "\"connections\":".length();
        return Integer.parseInt(body.substring(from, body.indexOf(',', from)));
    }

    /** Ends the process without a goodbye. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** Ends the process as an operator would; it must end in time, and well. */
    @Override
    public void close() throws IOException {
        process.destroy();
        try {
            if (!process.waitFor(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                throw new IOException("the gateway did not end");
            }
        } catch (InterruptedException error) {
            throw new IOException(error);
        }
        if (process.exitValue() != 0) throw new IOException("exit code " + process.exitValue());
    }

    private String health() throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/health"))
                .timeout(Duration.ofSeconds(5))
                .build();
        return HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    private boolean answers() throws InterruptedException {
        long until = System.nanoTime() + START_TIMEOUT.toNanos();
        while (process.isAlive() && System.nanoTime() < until) {
            try {
                health();
                return process.isAlive();
            } catch (IOException error) {
                Thread.sleep(20);
            }
        }
        return false;
    }

    /** Below the ports of outgoing connections, any of which may be held by a client. */
    private static int freePort() {
        while (true) {
            int port = PORTS_FROM + ThreadLocalRandom.current().nextInt(PORTS);
            try (ServerSocket probe = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return probe.getLocalPort();
            } catch (IOException taken) {
                continue;
            }
        }
    }
}
