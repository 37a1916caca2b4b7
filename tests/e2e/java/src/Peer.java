import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletionStage;

/** The other side: a socket of `/relay` over a bare WebSocket, which sees the bytes on the wire. */
final class Peer implements WebSocket.Listener, AutoCloseable {
    /** Frames as they came: a `String`, or a `byte[]`. Pings are answered, not kept. */
    final Inbox<Object> frames = new Inbox<>();
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
    private final WebSocket socket;
    private int acks = 1000;

    Peer(Relay relay) throws InterruptedException {
        String url = "ws://127.0.0.1:" + relay.port + "/socket.io/?EIO=4&transport=websocket";
        socket = HttpClient.newHttpClient().newWebSocketBuilder()
                .buildAsync(URI.create(url), this)
                .join();
        frames.take("open packet");
        send("40/relay,");
        frames.take("answer to CONNECT");
    }

    void send(String packet) {
        socket.sendText(packet, true).join();
    }

    void send(byte[] attachment) {
        socket.sendBinary(ByteBuffer.wrap(attachment), true).join();
    }

    /** Sends an event whose acknowledgement must be `[true]`; JSON text of the array. */
    void ask(String event) throws InterruptedException {
        int id = acks++;
        send("42/relay," + id + event);
        expect("43/relay," + id + "[true]");
    }

    void expect(String packet) throws InterruptedException {
        Suite.equal(packet, frames.take(packet));
    }

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            String whole = text.toString();
            text.setLength(0);
            if (whole.equals("2")) from.sendText("3", true);
            else frames.put(whole);
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
        byte[] part = new byte[data.remaining()];
        data.get(part);
        binary.writeBytes(part);
        if (last) {
            frames.put(binary.toByteArray());
            binary.reset();
        }
        from.request(1);
        return null;
    }

    @Override
    public void close() {
        socket.abort();
    }
}
