"""A loopback server that speaks the embeddings part of the OpenAI protocol, with failures on demand."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np

from acronis_pipeline.core.settings import EmbeddingEndpoint
from acronis_pipeline.sample_site.server import LoopbackServer
from acronis_pipeline_tests.index.corpora import WordEncoder

KEY = "sk-very-secret"


@dataclass
class Script:
    """What the server does: `failures` are answered first, one a request; then vectors of `dimension` numbers."""

    dimension: int = 64
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    body: dict[str, Any] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Every text that was answered or refused, in order of arrival."""
        return [text for request in self.requests for text in request["input"]]

    def answer(self, texts: Sequence[str]) -> dict[str, Any]:
        vectors = np.resize(WordEncoder().encode_passages(texts), (len(texts), self.dimension)) * 3.0
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        return {"object": "list", "model": "m", "data": data[::-1], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@contextmanager
def serving(script: Script) -> Iterator[EmbeddingEndpoint]:
    """The endpoint of a running server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                script.requests.append(request | {"path": self.path})
                script.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, headers = script.failures.pop(0) if script.failures else (200, {})
            if status == 200:
                body: dict[str, Any] = script.body or script.answer(request["input"])
            else:
                body = {"error": {"message": f"no: {self.headers['Authorization']}"}}
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Type": "application/json"}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Silent."""

    lock = threading.Lock()
    server = LoopbackServer(0, Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield EmbeddingEndpoint.model_validate(
            {"model": "m", "base_url": f"http://127.0.0.1:{server.server_port}/v1", "api_key": KEY}
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
