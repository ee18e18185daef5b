"""A real ``transformers serve`` answers a checkpoint's questions exactly as the checkpoint does here."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers.utils.import_utils import is_serve_available

from tests.support.training import TINY
from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.modeling.checkpoint import Checkpoint, load_checkpoint
from toolkit.modeling.find_contract import contract_for_remote
from toolkit.modeling.remote.address import RemoteModel, RemoteSettings
from toolkit.modeling.remote.remote_predictor import OpenAiPredictor
from toolkit.modeling.remote.unanswered_questions import Unanswered
from toolkit.modeling.vlm.vlm import save_vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.sample import Sample
from toolkit.training.train import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_serve_available(), reason="fastapi, uvicorn or openai is not installed"),
]

TOKENS, COUNT = 12, 8
PATIENCE = 60.0  # seconds until the server must have started


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A checkpoint whose answers are gibberish that hangs on every pixel, and which comes with a penalty."""
    home = tmp_path_factory.mktemp("served")
    (home / "quick.yaml").write_text(TINY)
    changes = ["tasks={metric_depth: 1, camera_pose: 1}", "trainer.steps=2", f"evaluation.samples={COUNT}"]
    train(load_recipe(home / "quick.yaml", changes), home / "run")
    made = load_checkpoint(home / "run")
    with torch.no_grad():
        for weight in made.vlm.model.parameters():
            weight.mul_(8.0 if weight.ndim > 1 else 1.0)
    made.vlm.model.generation_config.repetition_penalty = 1.5
    save_vlm(made.vlm, made.folder)
    return load_checkpoint(made.folder)


@pytest.fixture(scope="module")
def samples(checkpoint: Checkpoint) -> list[Sample]:
    """Questions about one picture, and about two."""
    plan = make_plan(checkpoint.recipe, checkpoint.presenter.canonicalisation.canvas)
    return [mixture[index] for mixture in plan.held_out.values() for index in range(COUNT)]


@pytest.fixture(scope="module")
def remote(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteModel]:
    """The checkpoint on a server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "serve.log"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(checkpoint.folder)]
    command += ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as output:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _await(server, f"http://127.0.0.1:{port}/health", log)
        yield RemoteModel(str(checkpoint.folder), f"http://127.0.0.1:{port}/v1")
    finally:
        server.kill()
        server.wait()


def _await(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    start = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None and time.monotonic() - start < PATIENCE:
        try:
            opener.open(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"transformers serve did not start:\n{log.read_text()}")


def answers(checkpoint: Checkpoint, samples: list[Sample]) -> list[str]:
    predictor = VlmPredictor(checkpoint.vlm, "here", max_new_tokens=TOKENS)
    return [reply.text for reply in predictor.answer(samples)]


def test_the_answers_are_those_of_the_checkpoint(
    checkpoint: Checkpoint, samples: list[Sample], remote: RemoteModel
) -> None:
    here = answers(checkpoint, samples)
    other = [replace(sample, images=tuple(pixels ^ 1 for pixels in sample.images)) for sample in samples]
    assert sum(one != two for one, two in zip(here, answers(checkpoint, other), strict=True)) > COUNT
    assert {len(sample.images) for sample in samples} == {1, 2}

    replies = OpenAiPredictor(remote, RemoteSettings(max_new_tokens=TOKENS)).answer(samples)
    assert [reply.text for reply in replies] == here


def test_the_contract_is_that_of_the_served_folder(checkpoint: Checkpoint, remote: RemoteModel) -> None:
    contract = contract_for_remote(remote)
    assert contract.presenter == checkpoint.presenter
    assert contract.tasks.keys() == checkpoint.tasks.keys()


def test_another_model_is_refused_in_the_servers_words(samples: list[Sample], remote: RemoteModel) -> None:
    with pytest.raises(Unanswered, match=r"refused the question \(400\)") as caught:
        OpenAiPredictor(replace(remote, name="other")).answer(samples[:1])
    assert "pinned" in caught.value.cause
