"""Export: merged, proven equal, and usable where this toolkit is not installed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.support.tiny_architectures import TWINS
from tests.support.training import save_bfloat16_base
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import CONTRACT, read_contract
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.vlm import chat_text
from toolkit.training.dry_run.preview import preview
from toolkit.training.export import export
from toolkit.training.train import train

pytestmark = pytest.mark.slow

LORA = ["model.lora.rank=4", "trainer.learning_rate=0.05", "evaluation.samples=2"]


@pytest.fixture
def adapted(quick: Path, tmp_path: Path) -> Path:
    """A LoRA run."""
    train(load_recipe(quick, LORA), tmp_path / "run")
    return tmp_path / "run"


def test_an_adapter_is_merged_and_compared(adapted: Path, tmp_path: Path) -> None:
    exported = export(adapted, tmp_path / "out")
    assert exported.adapter
    assert exported.difference < 1e-4
    one, other = (load_file(folder / "model.safetensors") for folder in (adapted, tmp_path / "out"))
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert not (tmp_path / "out" / "adapter_config.json").exists()
    assert load_checkpoint(tmp_path / "out").recipe == load_checkpoint(adapted).recipe
    assert (tmp_path / "out" / TRAINED_ON_FILE).read_bytes() == (
        adapted / TRAINED_ON_FILE
    ).read_bytes()  # which pictures it has seen
    assert read_contract(tmp_path / "out")["central_labels"] == read_contract(adapted)["central_labels"] != {}


def test_a_saved_step_can_be_exported_too(adapted: Path, tmp_path: Path) -> None:
    step = max((adapted / "training").glob("checkpoint-*"), key=lambda path: path.stat().st_mtime)
    (adapted / CONTRACT).unlink()  # as of a run that is not finished
    seen = (adapted / TRAINED_ON_FILE).read_bytes()
    (adapted / TRAINED_ON_FILE).unlink()
    assert export(step, tmp_path / "out").adapter
    assert (tmp_path / "out" / TRAINED_ON_FILE).read_bytes() == seen
    assert read_contract(tmp_path / "out")["central_labels"] != {}


def test_a_full_run_is_exported(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=2"]), tmp_path / "run")
    exported = export(tmp_path / "run", tmp_path / "out")
    assert (exported.adapter, exported.difference) == (False, 0.0)


@pytest.mark.parametrize("more", [[], ["model.lora.rank=4", "model.dtype=float32"]], ids=["full", "lora"])
def test_what_is_exported_has_the_type_of_a_finished_checkpoint(more: list[str], quick: Path, tmp_path: Path) -> None:
    base = save_bfloat16_base(tmp_path / "base")
    settings = [f"model.name={base}", "evaluation.samples=0", "trainer.steps=2", *more]
    train(load_recipe(quick, settings), tmp_path / "run")
    finished = load_file(tmp_path / "run" / "model.safetensors")
    for index, source in enumerate([tmp_path / "run", tmp_path / "run" / "training" / "checkpoint-2"]):
        assert export(source, tmp_path / f"out{index}").difference < 0.01
        exported = load_file(tmp_path / f"out{index}" / "model.safetensors")
        assert {weight.dtype for weight in exported.values()} == {torch.bfloat16}
        assert all(torch.equal(finished[name], exported[name]) for name in finished)


def test_another_model_is_noticed(adapted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "toolkit.training.export.finish_weights",
        lambda vlm, _: type(vlm)(vlm.model.unload(), vlm.processor, vlm.architecture),
    )
    with pytest.raises(UserError, match="answers differently"):
        export(adapted, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_missing_weights_are_fatal(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=1"]), tmp_path / "run")
    file = tmp_path / "run" / "model.safetensors"
    weights = load_file(file)
    weights.pop(next(name for name in weights if "q_proj" in name))
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(UserError, match="weights are not in its files"):
        export(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_places(adapted: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds something that toolkit export did not write"):
        export(adapted, adapted)
    with pytest.raises(UserError, match="no checkpoint of this toolkit"):
        export(tmp_path / "nowhere", tmp_path / "out")


STOCK = """
import json, sys
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
assert "toolkit" not in sys.modules
try:
    import toolkit
    raise SystemExit("the toolkit is installed here")
except ImportError:
    pass
folder, pictures, prompts = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
answers = []
for picture, prompt in zip(pictures, prompts):
    batch = processor(text=[prompt], images=[Image.open(picture)], return_tensors="pt", add_special_tokens=False)
    out = model.generate(**batch, max_new_tokens=8, do_sample=False)[0, batch["input_ids"].shape[1]:]
    answers.append(processor.tokenizer.decode(out, skip_special_tokens=True).strip())
print(json.dumps(answers))
"""


def test_without_this_toolkit_the_answers_are_the_same(quick: Path, adapted: Path, tmp_path: Path) -> None:
    export(adapted, tmp_path / "out")
    samples = [each.sample for each in preview(load_recipe(quick, LORA), 3).samples]
    vlm = load_checkpoint(tmp_path / "out").vlm
    for index, sample in enumerate(samples):
        Image.fromarray(np.asarray(sample.images[0])).save(tmp_path / f"{index}.png")
    pictures = json.dumps([str(tmp_path / f"{index}.png") for index in range(3)])
    prompts = json.dumps([chat_text(vlm, [sample.prompt], 1) for sample in samples])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    packages = Path(torch.__file__).parent.parent
    for entry in packages.iterdir():  # all that is installed, but not this toolkit
        if "toolkit" not in entry.name and "editable" not in entry.name and "3dqa" not in entry.name:
            (site / entry.name).symlink_to(entry)
    done = subprocess.run(
        [python, "-c", STOCK, tmp_path / "out", pictures, prompts],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    own = generate(vlm, [s.prompt for s in samples], [s.images for s in samples], max_new_tokens=8)
    assert json.loads(done.stdout.splitlines()[-1]) == [reply.text for reply in own]


@pytest.mark.parametrize("name", TWINS)
def test_every_architecture_exports_its_adapter(name: str, tmp_path: Path) -> None:
    from tests.support.training import twin_recipe

    recipe = twin_recipe(name, tmp_path, "model.lora.rank=2", "trainer.learning_rate=0.05", "trainer.steps=2")
    train(recipe, tmp_path / "run")
    exported = export(tmp_path / "run", tmp_path / "out")
    assert exported.adapter
    assert exported.difference < 1e-3


def test_missing_adapter_weights_are_fatal(adapted: Path, tmp_path: Path) -> None:
    file = adapted / "adapter" / "adapter_model.safetensors"
    kept = {name: weight for name, weight in load_file(file).items() if "lora_B" not in name}
    save_file(kept, file, {"format": "pt"})
    with pytest.raises(UserError, match="weights are not in its files"):
        export(adapted, tmp_path / "out")


def test_a_step_on_the_way_has_no_card_of_its_own(adapted: Path, tmp_path: Path) -> None:
    (adapted / "toolkit.json").unlink()
    export(adapted / "training" / "checkpoint-4", tmp_path / "out")
    assert not (tmp_path / "out" / "README.md").exists()
    assert load_checkpoint(tmp_path / "out").recipe == load_recipe(adapted / "recipe.yaml")
