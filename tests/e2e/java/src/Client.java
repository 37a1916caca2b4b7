import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Manager;
import io.socket.client.Socket;
import io.socket.engineio.client.Transport;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import org.json.JSONObject;

/** The stock client in `/relay`, and what it hears. */
final class Client implements AutoCloseable {
    /** Events in order of arrival: the name and the first argument. */
    final Inbox<Event> heard = new Inbox<>();
    final Inbox<String> connected = new Inbox<>();
    final Inbox<String> ended = new Inbox<>();
    final Socket socket;
    /** What carried the last packet. */
    volatile String transport = "";
    /** What carried the first one. */
    volatile String begun = "";

    record Event(String name, Object data) {}

    /** A client that is about to connect; `transports` is empty for its default way. */
    Client(Relay relay, List<String> transports) {
        IO.Options options = IO.Options.builder()
                .setForceNew(true)
                .setReconnectionDelay(100)
                .setReconnectionDelayMax(500)
                .build();
        if (!transports.isEmpty()) options.transports = transports.toArray(String[]::new);
        socket = IO.socket(URI.create(relay.url() + "/relay"), options);
        socket.io().on(Manager.EVENT_TRANSPORT, created -> {
            Transport one = (Transport) created[0];
            one.on(Transport.EVENT_PACKET, packet -> {
                transport = one.name;
                if (begun.isEmpty()) begun = one.name;
            });
        });
        for (String name : List.of("relay", "notificar", "relay:error")) {
            socket.on(name, data -> heard.put(new Event(name, data[0])));
        }
        socket.on(Socket.EVENT_CONNECT, nothing -> connected.put(socket.id()));
        socket.on(Socket.EVENT_DISCONNECT, reason -> ended.put((String) reason[0]));
        socket.connect();
    }

    /** Connects. */
    static Client connect(Relay relay, List<String> transports) throws InterruptedException {
        Client client = new Client(relay, transports);
        client.connected.take("connection");
        return client;
    }

    /** Emits and waits for the acknowledgement: its arguments. */
    List<Object> ask(String event, Object data) throws InterruptedException {
        Inbox<Object[]> answer = new Inbox<>();
        socket.emit(event, new Object[] {data}, (Ack) answer::put);
        return Arrays.asList(answer.take("acknowledgement of " + event));
    }

    /** Emits; the acknowledgement must be `[true]`. */
    void accepted(String event, Object data) throws InterruptedException {
        Suite.equal(List.of(true), ask(event, data));
    }

    /** Takes the next event, which must be of this name. */
    JSONObject next(String name) throws InterruptedException {
        Event event = heard.take(name);
        Suite.equal(name, event.name());
        return (JSONObject) event.data();
    }

    @Override
    public void close() {
        socket.disconnect();
    }
}
