"""A stand-in for the Hugging Face hub: it keeps repositories of models in memory and speaks the hub's own protocol."""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session

TOKEN, READ_TOKEN = "hf_ada", "hf_reader"
"""Tokens of the user ada: one that may write, and one that may only read."""

LARGE = (".safetensors", ".npz")
"""How the names of files end that are stored by their SHA-256 hashes."""

Files = Mapping[str, bytes]


@dataclass
class Repository:
    """A repository: its files at each commit, and the commits that its branches and tags name."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, branch: str = "main") -> str:
        """Make files the content of a branch; the hash of the commit is returned."""
        text = f"{len(self.commits)} {sorted((name, _sha256(data)) for name, data in files.items())}"
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.names[branch] = sha
        return sha


@dataclass
class Fault:
    """What goes wrong with requests.

    Attributes:
        where: A regular expression that is found in the method and the path of the requests, as in ``GET /api``.
        status: The status that they are answered with; 0 for none.
        cut_at: The number of bytes of a file after which the line is cut.
        seconds: How long an answer is awaited [s].
        flip: Whether one byte of a file is changed.
        code: The hub's word for the error.
        times: How many requests go wrong.
    """

    where: str
    status: int = 0
    cut_at: int = 0
    seconds: float = 0.0
    flip: bool = False
    code: str = ""
    times: int = 1000


class HubServer:
    """Serves repositories until it is closed."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._http = _Quiet(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def add(self, name: str, folder: Path | Files, **about: bool) -> str:
        """Make a repository of the files in a folder, or of files by name; the hash of its commit is returned."""
        if isinstance(folder, Path):
            paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            files: Files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        else:
            files = folder
        repository = self.repositories.setdefault(name, Repository(**about))
        return repository.commit(files)

    def files(self, name: str) -> dict[str, bytes]:
        """The files of the branch main."""
        repository = self.repositories[name]
        return repository.commits[repository.names["main"]]

    def downloads(self, ending: str = "") -> list[str]:
        """The files whose content was asked for."""
        got = [line.removeprefix("GET ") for line in self.requests if line.startswith("GET ") and "/resolve/" in line]
        return [path.partition("/resolve/")[2].partition("/")[2] for path in got if path.endswith(ending)]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def use_hub(hub: HubServer, cache: Path, patch: pytest.MonkeyPatch, token: str = "") -> None:
    """Let huggingface_hub in this process ask a stand-in. It reads the environment only when it is imported."""
    close_session()
    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no-token"))
    patch.delenv("HF_TOKEN", raising=False)
    if token:
        patch.setenv("HF_TOKEN", token)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Lines that were cut."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        line = f"{self.command} {path}"
        self.fault = next((each for each in self.hub.faults if each.times > 0 and re.search(each.where, line)), None)
        if self.fault:
            self.fault.times -= 1
            time.sleep(self.fault.seconds)
            if self.fault.status:
                self._error(self.fault.status, self.fault.code)
                return
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, path):
                getattr(self, method)(**found.groupdict())
                return
        self._error(404, "")

    @property
    def _user(self) -> str:
        return {f"Bearer {TOKEN}": "ada", f"Bearer {READ_TOKEN}": "ada"}.get(self.headers.get("Authorization", ""), "")

    def _repository(self, name: str) -> Repository | None:
        """The repository, if the user may see it; otherwise the request is answered with an error."""
        found = self.hub.repositories.get(name)
        if found is None or (found.private and not self._user):
            self._error(404 if self._user else 401, "RepoNotFound" if self._user else "")
            return None
        return found

    def _files(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and the files of a revision; otherwise the request is answered with an error."""
        repository = self._repository(name)
        if repository is None:
            return None
        sha = repository.names.get(revision, revision)
        if sha not in repository.commits:
            self._error(404, "RevisionNotFound")
            return None
        return sha, repository.commits[sha]

    def model_info(self, name: str, revision: str | None = None) -> None:
        if found := self._files(name, revision or "main"):
            repository = self.hub.repositories[name]
            siblings = [{"rfilename": file} for file in found[1]]
            about = {"id": name, "sha": found[0], "private": repository.private, "gated": repository.gated}
            self._json({**about, "siblings": siblings, "tags": []})

    def tree(self, name: str, revision: str) -> None:
        if found := self._files(name, revision):
            self._json([_entry(file, data) for file, data in found[1].items()])

    def resolve(self, name: str, revision: str, file: str) -> None:
        found = self._files(name, revision)
        if found is None:
            return
        sha, files = found
        if self.hub.repositories[name].gated and not self._user:
            self._error(401, "GatedRepo")
        elif file not in files:
            self._error(404, "EntryNotFound", {"X-Repo-Commit": sha})
        else:
            self._send_file(sha, file, files[file])

    def _send_file(self, sha: str, file: str, data: bytes) -> None:
        headers = {"ETag": f'"{_etag(file, data)}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        begin = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(begin[1]) if begin else 0
        if begin:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if self.fault and self.fault.flip:
            data = bytes([data[0] ^ 1]) + data[1:]
        self._reply(206 if begin else 200, data[start:], headers)

    def whoami(self) -> None:
        if not self._user:
            self._error(401, "", {"X-Error-Message": "Invalid username or password."})
            return
        role = "read" if READ_TOKEN in self.headers["Authorization"] else "write"
        access = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
        self._json({"type": "user", "name": self._user, "orgs": [{"name": "lab"}], "auth": access})

    def create(self) -> None:
        wanted = json.loads(self.body)
        name = f"{wanted.get('organization') or self._user}/{wanted['name']}"
        if not self._may_write(name):
            self._error(403, "")
        elif name in self.hub.repositories:
            self._json({"url": f"{self.hub.url}/{name}"}, 409)
        else:
            private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            self.hub.add(name, {".gitattributes": b""}, private=private)
            self._json({"url": f"{self.hub.url}/{name}"})

    def _may_write(self, name: str) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}" and name.split("/")[0] in ("ada", "lab")

    def preupload(self, name: str, revision: str) -> None:
        wanted = json.loads(self.body)["files"]
        kinds = [{"path": each["path"], "uploadMode": _mode(each["path"]), "shouldIgnore": False} for each in wanted]
        self._json({"files": kinds})

    def batch(self, name: str) -> None:
        wanted = json.loads(self.body)["objects"]
        objects = [
            each
            if each["oid"] in self.hub.uploads
            else {**each, "actions": {"upload": {"href": f"{self.hub.url}/upload/{each['oid']}"}}}
            for each in wanted
        ]
        self._json({"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        assert _sha256(self.body) == oid
        self.hub.uploads[oid] = self.body
        self._reply(200, b"", {})

    def commit(self, name: str, revision: str) -> None:
        if not self._may_write(name):
            self._error(403, "")
            return
        files = self.hub.files(name) | {}
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = self.hub.repositories[name].commit(files, revision)
        self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{sha}", "commitOid": sha})

    def validate(self) -> None:
        self._json({"errors": [], "warnings": []})

    def _json(self, value: Any, status: int = 200) -> None:
        self._reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, more: Mapping[str, str] = {}) -> None:
        headers = {"X-Error-Code": code} if code else {}
        self._reply(status, b"", {**headers, **more})

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.fault.cut_at if self.fault and "X-Repo-Commit" in headers else 0
        self.wfile.write(body[:cut] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True


_NAME = r"(?P<name>[^/]+/[^/]+)"

_ROUTES = (
    (rf"/api/models/{_NAME}(/revision/(?P<revision>.+))?", "model_info"),
    (rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)", "tree"),
    (rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", "resolve"),
    (r"/api/whoami-v2", "whoami"),
    (r"/api/repos/create", "create"),
    (r"/api/validate-yaml", "validate"),
    (rf"/api/models/{_NAME}/preupload/(?P<revision>[^/]+)", "preupload"),
    (rf"/{_NAME}\.git/info/lfs/objects/batch", "batch"),
    (r"/upload/(?P<oid>[0-9a-f]+)", "upload"),
    (rf"/api/models/{_NAME}/commit/(?P<revision>[^/]+)", "commit"),
)
"""The paths of the hub that are served, and the methods that answer."""


def _mode(file: str) -> str:
    return "lfs" if file.endswith(LARGE) else "regular"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _etag(file: str, data: bytes) -> str:
    """The name of a file's content: its SHA-256 hash, or that of git."""
    blob = b"blob %d\0" % len(data) + data
    return _sha256(data) if _mode(file) == "lfs" else hashlib.sha1(blob).hexdigest()


def _entry(file: str, data: bytes) -> dict[str, Any]:
    """What the listing of a repository says about a file."""
    about: dict[str, Any] = {"type": "file", "path": file, "size": len(data), "oid": _etag(file, data)[:40]}
    if _mode(file) == "lfs":
        about["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
    return about
