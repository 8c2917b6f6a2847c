"""Reading over the network, from a server on loopback."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import awkward as ak
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError
from tests.conftest import DEMO


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Python's file server, with the byte ranges that every real one has."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        begin, end, status = 0, len(content), 200
        wanted = self.headers.get("Range", "")
        if wanted and "," not in wanted:  # several ranges at once: a server may send the whole file instead
            first, last = wanted.removeprefix("bytes=").split("-")
            begin, end, status = int(first), min(int(last) + 1, len(content)), 206
        self.send_response(status)
        self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        self.wfile.write(content[begin:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    handler = functools.partial(RangeHandler, directory=str(DEMO))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_the_same_numbers_as_from_disk(server: str) -> None:
    sums = []
    for path in (str(DEMO / "ttbar_had.root"), f"{server}/ttbar_had.root"):
        with ReadingConfig().open(path) as file:
            sums.append(ak.concatenate(list(file)))
    assert ak.array_equal(*sums)


def test_a_server_without_the_file(server: str) -> None:
    with pytest.raises(FileError) as caught:
        ReadingConfig().open(f"{server}/none.root")
    assert "\n" not in str(caught.value)
    assert "none.root" in str(caught.value)
