"""Models on the hub, asked of a stand-in: what is fetched, what is kept, and what is said if it cannot be had."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.support.hub_server import TOKEN, Fault, HubServer, use_hub
from tests.support.own_task import OWN, WORDS
from tests.support.paths import ROOT
from toolkit.errors import UserError
from toolkit.modeling import fetch_model as module
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.fetch_model import fetch_model, fetch_weights, hub_name, is_hub_id, is_repository
from toolkit.qa.tasks.trust import trusting
from toolkit.utils.resources import MODELS, TINY

FOLDER = MODELS / TINY
WEIGHTS = "model.safetensors"
SHARDS = {f"model-0000{index}-of-00002.safetensors": bytes([index]) * 1000 for index in (1, 2)}
SHARDED = {
    "config.json": b'{"model_type": "llava"}',
    "model.safetensors.index.json": json.dumps({"weight_map": dict(zip("ab", SHARDS, strict=True))}).encode(),
    **SHARDS,
}


SMALL = {"config.json": b'{"model_type": "llava"}', WEIGHTS: b"0" * 1000}


def complaint(name: str, **settings: bool) -> UserError:
    with pytest.raises(UserError) as caught:
        fetch_model(name, **settings)
    return caught.value


def forget() -> None:
    """What this process has found counts no more, as in the next command."""
    module._found.clear()


def test_what_is_no_repository_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: HubServer) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ada", "tiny").mkdir(parents=True)
    assert fetch_model("ada/tiny") == Path("ada/tiny")
    assert fetch_model(TINY) == FOLDER
    for name in ("./ada/none", "some/where/else", "one-word", "/abs/path", "ada/none@", "ada/no ne"):
        assert not is_hub_id(name) and fetch_model(name) == Path(name)
    assert fetch_model(Path("ada/none")) == Path("ada/none")
    assert hub.requests == []


def test_names_of_repositories() -> None:
    assert is_hub_id("facebook/DepthLM") and is_hub_id("facebook/DepthLM@refs/pr/3") and is_hub_id("a-1/b_2.c@v1.0")
    assert is_repository("ada/tiny") and not is_repository("ada/tiny@main") and not is_repository("tiny")


def test_the_small_files_come_first_and_the_weights_when_they_are_loaded(hub: HubServer) -> None:
    commit = hub.add("ada/tiny", FOLDER)
    folder = fetch_model("ada/tiny", weights=False)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()
    } - {WEIGHTS, "evaluation/report.md"}
    assert hub_name(folder) == f"ada/tiny@{commit}"
    assert load_checkpoint(folder).vlm.model.dtype is not None
    assert (folder / WEIGHTS).read_bytes() == (FOLDER / WEIGHTS).read_bytes()


def test_what_was_downloaded_is_not_downloaded_again(hub: HubServer) -> None:
    hub.add("ada/tiny", SMALL)
    folder = fetch_model("ada/tiny")
    hub.requests.clear()
    assert fetch_model("ada/tiny") == folder and hub.requests == []
    forget()
    assert fetch_model("ada/tiny") == folder and hub.downloads() == []


def test_a_process_stays_at_one_revision(hub: HubServer) -> None:
    hub.add("ada/tiny", SMALL)
    folder = fetch_model("ada/tiny", weights=False)
    hub.add("ada/tiny", {"config.json": b"{}"})
    assert fetch_model("ada/tiny") == folder and (folder / WEIGHTS).is_file()
    forget()
    assert fetch_model("ada/tiny", weights=False) != folder


def test_a_revision(hub: HubServer) -> None:
    old = hub.add("ada/tiny", {"config.json": b'{"at": "old"}'})
    hub.add("ada/tiny", {"config.json": b'{"at": "new"}'})
    hub.repositories["ada/tiny"].commit({"config.json": b'{"at": "branch"}'}, "refs/pr/1")
    for revision, at in ((old, "old"), ("main", "new"), ("refs/pr/1", "branch")):
        folder = fetch_model(f"ada/tiny@{revision}", weights=False)
        assert json.loads((folder / "config.json").read_text())["at"] == at


FAILURES = {
    "missing": ("ada/none", None, "no such model, or hides it", "hf auth login"),
    "private": ("ada/private", None, "no such model, or hides it", "hf auth login"),
    "gated": ("ada/gated", None, "accepted its conditions", "/ada/gated, then log in"),
    "revision": ("ada/tiny@v9", None, "no such revision", "behind the @"),
    "not allowed": ("ada/tiny", Fault("/api/models", status=403), "answered 403 Forbidden", "hf auth login"),
    "broken": ("ada/tiny", Fault("/api/models", status=503), "answered 503 Service Unavailable", "again later"),
    "busy": ("ada/tiny", Fault("/api/models", status=429), "answered 429 Too Many Requests", "again later"),
    "silent": ("ada/tiny", Fault("/api/models", seconds=1), "cannot be reached", "check the network"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_errors_say_what_the_hub_said(case: str, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    hub.add("ada/tiny", SMALL)
    hub.add("ada/private", SMALL, private=True)
    hub.add("ada/gated", SMALL, gated=True)
    name, fault, said, remedy = FAILURES[case]
    hub.faults += [fault] if fault else []
    error = complaint(name)
    assert said in f"{error.problem} {error.cause}" and remedy in error.remedy
    assert name in error.problem
    assert case == "revision" or "hf download ada/" in error.remedy
    assert "\n" not in str(error.cause)


def test_a_token_opens_what_is_private(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("ada/private", SMALL, private=True, gated=True)
    use_hub(hub, tmp_path / "cache", monkeypatch, TOKEN)
    assert fetch_model("ada/private", weights=False).is_dir()


def test_without_a_network(hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add("ada/tiny", SMALL)
    folder = fetch_model("ada/tiny")
    forget()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert fetch_model("ada/tiny") == folder
    assert "ada/tiny: its copy in the cache is used" in capsys.readouterr().err
    assert "cannot be reached" in complaint("ada/other").cause


def test_a_prepared_cache_serves_without_asking(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add("ada/tiny", SMALL)
    folder = fetch_model("ada/tiny")
    hub.add("ada/half", SMALL)
    fetch_model("ada/half", weights=False)
    forget()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert fetch_model("ada/tiny") == folder
    for name in ("ada/other", "ada/half"):
        error = complaint(name)
        assert "HF_HUB_OFFLINE is set" in error.cause and "hf download ada/" in error.remedy
    assert hub.requests == [] and capsys.readouterr().err == ""


@pytest.mark.parametrize("inside", [True, False])
def test_a_misspelt_run_is_not_looked_for_on_the_hub(
    inside: bool, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hub.add("runs/mien", SMALL)
    if inside:
        Path("runs", "mine").mkdir(parents=True)
    error = complaint("runs/mien")
    assert "no such folder" in error.problem and "hub was not asked" in error.cause
    assert ("did you mean runs/mine" if inside else "toolkit train") in error.remedy
    assert hub.requests == []
    assert "runs/mien@main" in error.remedy and fetch_model("runs/mien@main", weights=False).is_dir()


def test_pickles_alone_are_refused_with_a_list_of_the_files(hub: HubServer) -> None:
    hub.add("ada/old", {"config.json": b'{"model_type": "llava"}', "pytorch_model.bin": b"0"})
    error = complaint("ada/old")
    assert "safetensors" in error.problem and "config.json, pytorch_model.bin" in error.cause
    assert hub.downloads(".bin") == []


def test_of_several_copies_of_the_weights_only_those_of_the_index_are_fetched(hub: HubServer) -> None:
    hub.add("ada/big", {**SHARDED, "consolidated.safetensors": b"0", "original/model.safetensors": b"0"})
    fetch_model("ada/big")
    assert sorted(hub.downloads(".safetensors")) == sorted(SHARDS)


@pytest.mark.parametrize("index", [b"{}", b'{"weight_map": [1]}', b"["])
def test_a_damaged_index(index: bytes, hub: HubServer) -> None:
    hub.add("ada/big", {**SHARDED, "model.safetensors.index.json": index})
    assert "model.safetensors.index.json" in complaint("ada/big").problem


def test_an_interrupted_download_goes_on(hub: HubServer) -> None:
    hub.add("ada/big", SHARDED)
    first, second = SHARDS
    hub.faults.append(Fault(f"GET .*{second}", status=500))
    assert "answered 500" in complaint("ada/big").cause
    hub.faults.clear()
    hub.requests.clear()
    forget()
    folder = fetch_model("ada/big")
    assert hub.downloads(".safetensors") == [second]
    assert (folder / first).read_bytes() == SHARDS[first]


def test_a_line_that_is_cut_goes_on_where_it_stopped(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.add("ada/tiny", SMALL)
    hub.faults.append(Fault(WEIGHTS, cut_at=300, times=4))
    assert (fetch_model("ada/tiny") / WEIGHTS).read_bytes() == SMALL[WEIGHTS]
    assert len(hub.downloads(WEIGHTS)) > 1


def test_damaged_weights_are_noticed_and_fetched_anew(hub: HubServer) -> None:
    hub.add("ada/big", SHARDED)
    hub.faults.append(Fault("00002-of", flip=True))
    error = complaint("ada/big")
    assert "model-00002-of-00002.safetensors" in error.problem and "SHA-256" in error.cause
    hub.faults.clear()
    assert {name: (fetch_model("ada/big") / name).read_bytes() for name in SHARDS} == SHARDS


Usage = namedtuple("Usage", "free")


def test_a_full_disk_is_noticed_before_the_download(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("ada/big", SHARDED)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1999))
    error = complaint("ada/big")
    assert "do not fit on the disk" in error.problem and "HF_HOME" in error.remedy
    assert hub.downloads(".safetensors") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2000))
    fetch_model("ada/big")


def test_a_disk_that_fills_up(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("ada/big", SHARDED)
    folder = fetch_model("ada/big", weights=False)
    monkeypatch.setattr(module, "_download_weights", _fill_up)
    with pytest.raises(UserError) as caught:
        fetch_weights(folder)
    assert "the disk is full" in caught.value.cause


def _fill_up(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_of_several_processes_one_downloads_and_the_others_wait(hub: HubServer) -> None:
    hub.add("ada/big", SHARDED)
    folder = fetch_model("ada/big", weights=False)
    hub.faults.append(Fault("00001-of", seconds=0.2, times=3))
    together = threading.Barrier(3)

    def fetch(_: int) -> Path:
        together.wait()
        return fetch_weights(folder)

    with ThreadPoolExecutor(3) as ranks:
        assert list(ranks.map(fetch, range(3))) == [folder] * 3
    assert sorted(hub.downloads(".safetensors")) == sorted(SHARDS)


def test_tasks_of_a_fetched_run_need_trust_before_its_weights_are_fetched(hub: HubServer) -> None:
    recipe = (FOLDER / "recipe.yaml").read_text().replace("\ntasks:\n", "\ntasks:\n  own_hub: {weight: 1.0}\n", 1)
    files = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    own = {"tasks/own_file.py": OWN.replace("{name}", "own_hub").encode(), "tasks/own_hub.jinja": WORDS.encode()}
    hub.add("ada/own", {**files, **own, "recipe.yaml": recipe.encode()})
    with pytest.raises(UserError, match="Python code is not trusted"):
        load_checkpoint(fetch_model("ada/own", weights=False))
    assert hub.downloads(WEIGHTS) == []
    with trusting(True):
        checkpoint = load_checkpoint(fetch_model("ada/own", weights=False))
    assert checkpoint.tasks["own_hub"].template_path().read_text() == WORDS
    load_checkpoint(fetch_model("ada/own"))  # what was trusted is remembered by its content


ASK = """
from toolkit.modeling.fetch_model import fetch_model
folder = fetch_model("ada/tiny")
print(folder)
"""


def test_the_environment_of_the_hub_counts(hub: HubServer, tmp_path: Path) -> None:
    hub.add("ada/tiny", SMALL, private=True)
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN}
    environment = os.environ | home | {"HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "home")
    assert done.stderr == ""  # no bars where there is no terminal
