"""A server on loopback that says whatever bytes a test wants, as slowly as it wants."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable

Behaviour = Callable[[socket.socket], None]

OK_HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


class RawServer:
    """Behaviours by path; anything else is an honest 404. One request a connection."""

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour | bytes] = {}
        self.asked: Counter[str] = Counter()
        self.sent_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent_bytes += len(data)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := connection.recv(65_536)):
                    return
                head += more
            path = head.split(b" ")[1].decode("latin-1")
            self.asked[path] += 1
            missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            behaviour = self.behaviours.get(path, missing)
            if isinstance(behaviour, bytes):
                self.send(connection, behaviour)
            else:
                behaviour(connection)
