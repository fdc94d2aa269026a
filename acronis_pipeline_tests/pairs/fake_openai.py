"""A server that speaks enough of the OpenAI protocol for the tests, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any]]
Behaviour = Callable[[dict[str, Any], int], Answer]
"""What to answer to a request body that is the n-th (from 1) for its passage."""


class FakeOpenAI:
    """Counts requests per passage; `behaviour` decides each answer."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.url = ""
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def answer(self, body: dict[str, Any], key: str | None) -> Answer:
        passage = body["messages"][-1]["content"]
        with self._lock:
            self.requests.append(body)
            self.keys.add(key)
            self._seen[passage] = self._seen.get(passage, 0) + 1
            nth = self._seen[passage]
        return self.behaviour(body, nth)


def completion(content: str, **choice: Any) -> Answer:
    message = {"role": "assistant", "content": content} | choice.pop("message", {})
    return 200, {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message} | choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def questions(*texts: str) -> Answer:
    return completion(json.dumps({"questions": [{"question": text, "style": "question"} for text in texts]}))


def error(status: int, message: str = "broken") -> Answer:
    return status, {"error": {"message": message, "type": "server_error"}}


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[FakeOpenAI]:
    fake = FakeOpenAI(behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, data = fake.answer(body, self.headers.get("Authorization"))
            payload = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
