"""A stand-in for the Hugging Face Hub on this machine: as much of its upload API as a folder needs.

Written from what `huggingface_hub` 2.4 asks for; files are kept in memory, commits are told apart.
"""

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """What arrived.

    Attributes:
        url: where it listens.
        token: the one it lets in.
        repositories: `private` or `public`, by name.
        commits: of each commit, the files by path.
        requests: method and path of each request.
        failures: statuses of the next answers to `repos/create`, instead of what was asked for.
        delay: until it is set, commits are not answered; None for at once.
        storage: folder in which the Xet client keeps large files by its own protocol, instead of git LFS.
    """

    url: str = ""
    token: str = "hf_secret_of_the_test"
    repositories: dict = field(default_factory=dict)
    commits: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    delay: threading.Event | None = None
    objects: dict = field(default_factory=dict)
    storage: str | None = None


def serve() -> tuple[Hub, ThreadingHTTPServer]:
    """Starts it in a thread; end it with `server.shutdown()`."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return hub, server


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _is_let_in(self):
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def do_GET(self):
        self.hub.requests.append(("GET", self.path))
        if "/xet-write-token/" in self.path:
            return self._answer({"casUrl": f"local://{self.hub.storage}", "accessToken": "x", "exp": 2**33})
        name = "/".join(self.path.split("/")[3:5]).split("?")[0]
        if not self._is_let_in() or name not in self.hub.repositories:
            return self._answer({"error": "Repository not found"}, 404)
        return self._answer({"id": name, "private": self.hub.repositories[name] == "private", "siblings": []})

    def do_PUT(self):
        self.hub.requests.append(("PUT", self.path))
        self.hub.objects[self.path.rpartition("/")[2]] = self._body()
        self._answer({})

    def do_POST(self):
        self.hub.requests.append(("POST", self.path))
        body = self._body()
        path = self.path.split("?")[0]
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if path == "/api/repos/create" and self.hub.failures:
            return self._answer({"error": "as the test wishes"}, self.hub.failures.pop(0))
        if not self._is_let_in():
            return self._answer({"error": "Invalid username or password."}, 401)
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if "/preupload/" in path:
            return self._answer({"files": [self._mode(each) for each in json.loads(body)["files"]]})
        if "/commit/" in path:
            return self._commit(path, body)
        return self._answer({"error": "no such address"}, 404)

    def _create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repositories:
            return self._answer({"error": "exists", "url": f"{self.hub.url}/{name}"}, 409)
        self.hub.repositories[name] = asked.get("visibility", "public")
        return self._answer({"url": f"{self.hub.url}/{name}"})

    def _mode(self, file):
        large = file["path"].endswith(".safetensors")
        return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def _batch(self, asked):
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.hub.url}/storage/{each['oid']}"}}}
            for each in asked["objects"]
        ]
        self._answer({"transfer": "basic", "objects": objects})

    def _commit(self, path, body):
        files = {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                # Of a file in another storage only the checksum comes by here.
                files[value["path"]] = value["oid"] if self.hub.storage else self.hub.objects[value["oid"]]
        if self.hub.delay is not None:
            self.hub.delay.wait(60)
        self.hub.commits.append(files)
        number = f"{len(self.hub.commits):040x}"
        repository = "/".join(path.split("/")[3:5])
        address = f"{self.hub.url}/{repository}/commit/{number}"
        self._answer({"commitUrl": address, "commitOid": number, "success": True})
