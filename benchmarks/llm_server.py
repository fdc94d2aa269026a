"""A badly behaved language model over real HTTP: latency, 429s, 500s, broken JSON and hangs, all decided by hashes.

Speaks as much of the OpenAI protocol as generation needs. Every request is written to a log file, a line when it comes
and a line when it has been answered in full, so that the log of a server whose client was killed is complete.

    python benchmarks/llm_server.py --port 8790 --log requests.jsonl --latency 0.5 --faults
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

FAULTS = {"429": 0.04, "500": 0.04, "broken body": 0.03, "hang": 0.01, "malformed": 0.03}
"""Shares of passages that meet a fault; all but the last only at the first attempt."""
_HANG_S = 3600.0
_REASONS = {200: "OK", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass
class Server:
    """Answers completions; `latency_s` is the mean of latencies between half and one and a half of it."""

    latency_s: float
    faults: bool
    log: IO[str]

    def __post_init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One keep-alive connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                await self._answer(json.loads(await reader.readexactly(length)), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client closed the connection, timed out or was killed
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        passage = sha256(body["messages"][-1]["content"].encode()).hexdigest()
        came = time.time()
        self.attempts[passage] += 1
        self._note(what="came", passage=passage, at=came)
        fault = self._fault(passage)
        latency_s = self.latency_s * (0.5 + _unit(passage, f"latency {self.attempts[passage]}"))
        status, headers, text = 200, "", _completion(passage, malformed=fault == "malformed")
        if fault in {"429", "500"}:
            status, text, latency_s = int(fault), '{"error": {"message": "later"}}', 0.01
            headers = "Retry-After: 1\r\n" if fault == "429" else ""
        elif fault == "broken body":
            text = text[: len(text) // 2]
        await asyncio.sleep(_HANG_S if fault == "hang" else latency_s)
        payload = text.encode()
        writer.write(
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n{headers}"
            f"Content-Length: {len(payload)}\r\n\r\n".encode()
            + payload
        )
        await writer.drain()
        usable = status == 200 and fault != "broken body"
        self._note(what="answered" if usable else "refused", passage=passage, at=time.time(), took_s=latency_s)

    def _fault(self, passage: str) -> str | None:
        draw = _unit(passage, "fault")
        for fault, share in FAULTS.items() if self.faults else ():
            if draw < share:
                return fault if self.attempts[passage] == 1 or fault == "malformed" else None
            draw -= share
        return None

    def _note(self, **entry: Any) -> None:
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()


def _unit(*parts: str) -> float:
    return int(sha256(" ".join(parts).encode()).hexdigest()[:12], 16) / 16**12


def _completion(passage: str, *, malformed: bool) -> str:
    questions = [{"number": n, "question": f"what does section {passage[:8]} say of part {n}?"} for n in range(1, 5)]
    content = "I would rather talk." if malformed else json.dumps({"questions": questions})
    message = {"role": "assistant", "content": content}
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 600, "completion_tokens": 80, "total_tokens": 680},
        }
    )


async def main(port: int, log: Path, latency_s: float, *, faults: bool) -> None:
    """Serve until the process is ended."""
    with log.open("a") as file:
        server = Server(latency_s, faults, file)
        async with await asyncio.start_server(server.serve, "127.0.0.1", port, backlog=512) as listening:
            await listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.5, help="mean seconds to an answer")
    parser.add_argument("--faults", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.port, given.log, given.latency, faults=given.faults))
