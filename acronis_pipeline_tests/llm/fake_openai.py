"""A server that speaks enough of the OpenAI protocol for the tests, over real HTTP: completions, files and batches."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from typing import Any

from acronis_pipeline.sample_site.server import LoopbackServer

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""Status, body (text is sent as it is, anything else as JSON) and further headers."""

Behaviour = Callable[[dict[str, Any], int], Answer]
"""What to answer to a request body that is the n-th (from 1) for its passage."""


class FakeOpenAI:
    """Counts requests per passage; `behaviour` decides each answer, those in a batch included.

    `answered` holds the passage and the time of every completion that was sent in full.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[dict[str, Any]] = []
        self.answered: list[tuple[str, float]] = []
        self.most_at_once = 0
        self.keys: set[str | None] = set()
        self.url = ""
        self.files: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.looks_until_done = 1
        self.has_batches = True
        self.refusal: Answer | None = None
        self.fails_batches = False
        self._seen: dict[str, int] = {}
        self._at_once = 0
        self._lock = threading.Lock()

    def answer(self, body: dict[str, Any], key: str | None) -> Answer:
        passage = body["messages"][-1]["content"]
        with self._lock:
            self.requests.append(body)
            self.keys.add(key)
            self._seen[passage] = self._seen.get(passage, 0) + 1
            nth = self._seen[passage]
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.behaviour(body, nth)
        finally:
            with self._lock:
                self._at_once -= 1

    def note_sent(self, body: dict[str, Any], status: int) -> None:
        if status == 200:
            self.answered.append((body["messages"][-1]["content"], time.time()))

    def create_batch(self, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        number = len(self.batches) + 1
        output: list[str] = []
        for line in self.files[body["input_file_id"]].splitlines():
            request = json.loads(line)
            status, answer, *_ = self.answer(request["body"], key)
            response = {"status_code": status, "request_id": "r", "body": answer}
            output.append(json.dumps({"id": "l", "custom_id": request["custom_id"], "response": response}))
        self.files[f"file-out{number}"] = "\n".join(reversed(output))  # a batch keeps no order
        batch = {
            "id": f"batch_{number}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "failed" if self.fails_batches else "in_progress",
            "created_at": int(time.time()),
            "metadata": body.get("metadata"),
            "request_counts": {"total": len(output), "completed": 0, "failed": 0},
            "looks": 0,
        }
        self.batches[batch["id"]] = batch
        return batch

    def look_at_batch(self, batch_id: str) -> dict[str, Any] | None:
        batch = self.batches.get(batch_id)
        if batch:
            batch["looks"] += 1
            if batch["looks"] >= self.looks_until_done:
                batch |= {"status": "completed", "output_file_id": f"file-out{batch_id.removeprefix('batch_')}"}
        return batch


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
    entries = [{"number": number, "question": text} for number, text in enumerate(texts, start=1)]
    return completion(json.dumps({"questions": entries}))


def error(status: int, message: str = "broken", headers: dict[str, str] | None = None) -> Answer:
    return status, {"error": {"message": message, "type": "server_error"}}, headers or {}


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[FakeOpenAI]:
    fake = FakeOpenAI(behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            key = self.headers.get("Authorization")
            if self.path.endswith("/files") and fake.refusal:
                self._send(*fake.refusal)
            elif self.path.endswith("/files") and not fake.has_batches:
                self._send(404, {"error": {"message": "no such path"}})
            elif self.path.endswith("/files"):
                file_id = f"file-in{len(fake.files) + 1}"
                fake.files[file_id] = _uploaded(self.headers["Content-Type"], data)
                self._send(200, {"id": file_id, "object": "file", "purpose": "batch", "filename": "requests.jsonl"})
            elif self.path.endswith("/batches"):
                self._send(200, fake.create_batch(json.loads(data), key))
            else:
                body = json.loads(data)
                status, answer, *headers = fake.answer(body, key)
                self._send(status, answer, *headers)
                fake.note_sent(body, status)

        def do_GET(self) -> None:
            *_, kind, name = self.path.split("?")[0].strip("/").split("/")
            if name == "content":
                self._send(200, fake.files[kind])
            elif name == "batches":
                found = sorted(fake.batches.values(), key=lambda batch: batch["id"], reverse=True)
                self._send(200, {"object": "list", "data": found, "has_more": False})
            elif batch := fake.look_at_batch(name):
                self._send(200, batch)
            else:
                self._send(404, {"error": {"message": "no such batch"}})

        def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
            payload = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = LoopbackServer(0, Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _uploaded(content_type: str, data: bytes) -> str:
    """Content of the file in a multipart form."""
    form = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + data)
    return next(part.get_payload(decode=True).decode() for part in form.get_payload() if part.get_filename())  # pyright: ignore
