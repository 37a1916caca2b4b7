import java.util.ArrayDeque;
import java.util.Deque;

/** What has arrived and was not taken yet, in order. */
final class Inbox<T> {
    private static final long TIMEOUT_MS = 10_000;
    private final Deque<T> items = new ArrayDeque<>();

    synchronized void put(T item) {
        items.add(item);
        notifyAll();
    }

    /** Takes the next one; waits for it. */
    T take(String what) throws InterruptedException {
        return take(what, TIMEOUT_MS);
    }

    /** The same, with another patience. */
    synchronized T take(String what, long timeoutMs) throws InterruptedException {
        long until = System.currentTimeMillis() + timeoutMs;
        while (items.isEmpty()) {
            long left = until - System.currentTimeMillis();
            if (left <= 0) throw new AssertionError("no " + what);
            wait(left);
        }
        return items.remove();
    }

    synchronized boolean isEmpty() {
        return items.isEmpty();
    }
}
