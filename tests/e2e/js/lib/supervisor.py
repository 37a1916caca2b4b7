"""Keeps a listener open and passes it on to one process after another, as systemd does.

    supervisor.py PORT COMMAND...

Says `started PID` for each; starts the next when one ends well, and ends with the second."""

import os
import signal
import socket
import sys


def end(*_):
    os.kill(child, signal.SIGKILL)
    sys.exit(1)


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(256)
for _ in range(2):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if listener.fileno() != 3:
            os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execvp(sys.argv[2], sys.argv[2:])
    signal.signal(signal.SIGTERM, end)
    print("started", child, flush=True)
    status = os.waitpid(child, 0)[1]
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(1)
