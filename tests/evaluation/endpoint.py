"""A real HTTP server on a loopback port that answers /v1/predict as it is told; /v1/embeddings and /v1/rerank likewise."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from modelmint.core.inputs import fits
from modelmint.core.stage import Endpoint

KEY = "mint_test"
Answers = Callable[[list[Any]], tuple[int, Any]]


def asked(body: Any) -> list[Any]:
    """The inputs of a request, by any of the routes."""
    if "query" in body:
        return [{"text": body["query"], "text_pair": document} for document in body["documents"]]
    return body["input"] if isinstance(body["input"], list) else [body["input"]]


def _data(answer: Any) -> Any:
    return {"data": [{"index": at, **one} for at, one in enumerate(answer["predictions"])]}


def _results(answer: Any) -> Any:
    given = [{"index": at, "relevance_score": one["score"]} for at, one in enumerate(answer["predictions"])]
    return {"results": sorted(given, key=lambda one: -one["relevance_score"])}


SHAPES: dict[str, Callable[[Any], Any]] = {
    "/v1/predict": lambda answer: answer,
    "/v1/embeddings": _data,
    "/v1/rerank": _results,
}


@contextmanager
def served(answers: Answers, seen: list[Any]) -> Iterator[Endpoint]:
    """A real HTTP server on a loopback port; `seen` takes each input and how many requests were under way."""
    under_way, lock = [0], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert (self.path in SHAPES, self.headers["Authorization"]) == (True, f"Bearer {KEY}")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                under_way[0] += 1
                seen.append((body.get("input"), under_way[0]))
            texts = asked(body)
            too_long = not all(map(fits, texts))
            status, answer = (400, {"error": {"message": "input: too long"}}) if too_long else answers(texts)
            with lock:
                under_way[0] -= 1
            if status == 200 and isinstance(answer, dict):
                answer = SHAPES[self.path](answer)
            if answer is not None:  # None: hang up without a word
                self._reply(status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def _reply(self, status: int, content: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # the client did not wait

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Endpoint(url=f"http://127.0.0.1:{server.server_port}", name="candidate", key=KEY)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
