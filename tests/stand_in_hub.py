"""A hub on this computer: it speaks the endpoints of the real one, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40
TOKEN = "hf_of_somebody"


@dataclass
class StandIn:
    """What the hub has (``root``: OWNER/NAME folders) and how it behaves. ``log``: the requests that came."""

    root: Path
    address: str = ""
    log: list[str] = field(default_factory=list)
    cut_at: float = 0.0
    """Answers end after this share of what they announced, ``cuts`` times."""
    cuts: int = 0
    statuses: list[int] = field(default_factory=list)
    """Answers to the next requests, before it behaves."""
    retry_after: str = ""
    wrong_bytes: bool = False
    wrong_digest: bool = False
    ignores_range: bool = False
    redirects: bool = False
    drip: float = 0.0
    """Seconds between pieces of a file."""
    silent_after: int = 0
    """Bytes of a file after which nothing more comes."""
    gated: bool = False
    claims: int = 0
    """Bytes that the list of files says of large ones, if they are to be more than they are."""
    commits: tuple[str, ...] = ()
    """Other commits that it has."""
    head: dict[str, object] = field(default_factory=dict)
    """What else is said of every model."""

    def put(self, id: str, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            place = self.root / id / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)

    @property
    def fetched(self) -> list[str]:
        """Paths and ranges of the files that were asked for."""
        return [line for line in self.log if "/resolve/" in line]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: StandIn

    def log_message(self, format: str, *args: object) -> None:
        """Not on the terminal."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.log.append(f"{path} {self.headers.get('Range', '')}".strip())
        if self.hub.statuses:
            wait = {"Retry-After": self.hub.retry_after} if self.hub.retry_after else {}
            return self.answer(self.hub.statuses.pop(0), b"", **wait)
        if self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(403, b"{}", X_Error_Code="GatedRepo")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self.describe(match[1], match[2] or "main")
        if match := re.fullmatch(r"/(?:elsewhere/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if self.hub.redirects and not path.startswith("/elsewhere"):
                return self.answer(302, b"", Location=f"/elsewhere{self.path}")
            return self.send(self.hub.root / match[1] / match[3])
        return self.answer(404)

    def describe(self, id: str, revision: str) -> None:
        folder = self.hub.root / id
        if not folder.is_dir():
            return self.answer(401, b"{}", X_Error_Code="RepoNotFound")
        if revision not in ("main", COMMIT, "v1", *self.hub.commits):
            return self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
        siblings = []
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = file.read_bytes()
            one: dict[str, object] = {"rfilename": file.relative_to(folder).as_posix(), "size": len(data)}
            one["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if file.suffix in (".safetensors", ".bin"):
                digest = "0" * 64 if self.hub.wrong_digest else hashlib.sha256(data).hexdigest()
                one["lfs"] = {"size": self.hub.claims or len(data), "sha256": digest, "pointerSize": 134}
            siblings.append(one)
        model = {"id": id, "sha": COMMIT, "siblings": siblings, "gated": "manual" if self.hub.gated else False}
        self.answer(200, json.dumps(model | self.hub.head).encode(), Content_Type="application/json")

    def send(self, file: Path) -> None:
        if not file.is_file():
            return self.answer(404, b"", X_Error_Code="EntryNotFound")
        data = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        headers |= {"X-Linked-Size": str(len(data)), "Accept-Ranges": "bytes"}
        if self.hub.wrong_bytes and file.suffix == ".safetensors":
            data = data[:-7] + b"XXXXXXX"
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not self.hub.ignores_range else 0
        if start >= len(data) > 0:
            return self.answer(416)
        piece = data[start:]
        self.send_response(206 if start else 200)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        for name, value in {**headers, "Content-Length": str(len(piece))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.trickle(piece)

    def trickle(self, piece: bytes) -> None:
        large = len(piece) > 1000
        if large and self.hub.cuts:
            self.hub.cuts -= 1
            self.wfile.write(piece[: int(len(piece) * self.hub.cut_at)])
            self.close_connection = True
        elif large and self.hub.silent_after:
            self.wfile.write(piece[: self.hub.silent_after])
            self.wfile.flush()
            self.server.quiet.wait(30)  # type: ignore[attr-defined]
            self.close_connection = True
        elif large and self.hub.drip:
            step = len(piece) // 8
            for at in range(0, len(piece), step):
                self.wfile.write(piece[at : at + step])
                self.wfile.flush()
                time.sleep(self.hub.drip)
        else:
            self.wfile.write(piece)


@contextmanager
def stand_in_hub(root: Path) -> Iterator[StandIn]:
    """Play a hub on loopback for a while."""
    hub = StandIn(root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # a client that left
    server.quiet = threading.Event()  # type: ignore[attr-defined]
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.quiet.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()
