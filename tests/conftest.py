"""Fixtures of all tests; helpers that are no fixtures are in ``tests/support``."""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Processes that run tests side by side, and what they start, have one thread each; one process alone has two.
os.environ["OMP_NUM_THREADS"] = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"

import pytest
import torch
from hypothesis import settings

from tests.support.command import Run
from tests.support.hub_server import HubServer, use_hub
from tests.support.training import TINY
from tests.support.walls import line, write_manifest
from toolkit.cli.main import main
from toolkit.qa.tasks.trust import let_run
from toolkit.utils import plotting

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")  # the same examples in every run, however busy the machine is

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _reports_without_figures() -> Iterator[None]:
    """Draw no figures, which take longer than a small run, as where matplotlib is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.evaluation.reports.report.can_draw", lambda: False)
        yield


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures of reports in this test."""
    monkeypatch.setattr("toolkit.evaluation.reports.report.can_draw", plotting.can_draw)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder in place of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def trusts_nothing_yet(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test trusts, the next one does not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state / secrets.token_hex(8)))
    let_run()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A stand-in for the Hugging Face hub, and an empty cache."""
    server = HubServer()
    use_hub(server, tmp_path / "cache", monkeypatch)
    yield server
    server.close()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Eight pictures of walls in two sequences, with poses."""
    return write_manifest(tmp_path, [line(index) for index in range(8)])


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A recipe that trains in a second or two."""
    path = tmp_path / "quick.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolkit", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call
