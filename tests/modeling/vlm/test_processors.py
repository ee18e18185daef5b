"""The processors that leave video out: where they do more than the stock ones, or stand in for one."""

import json
from pathlib import Path

import numpy as np

from tests.support.tiny_architectures import build_twin
from toolkit.modeling.vlm.vlm import encode, load_vlm, save_vlm


def test_pixtral_writes_a_row_of_tokens_for_each_row_of_patches() -> None:
    vlm = build_twin("Pixtral")
    batch = encode(vlm, ["How far?"], [[np.zeros((32, 48, 3), np.uint8)]])
    row = "[IMG][IMG][IMG]"
    assert f"{row}[IMG_BREAK]{row}[IMG_END]" in vlm.processor.tokenizer.decode(batch["input_ids"][0])


def test_a_stock_folder_that_resizes_is_loaded_so_that_it_does_not(tmp_path: Path) -> None:
    save_vlm(build_twin("Qwen2.5-VL"), tmp_path / "model")
    file = tmp_path / "model" / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["image_processor"]["do_resize"] = True
    file.write_text(json.dumps(settings))
    vlm = load_vlm(tmp_path / "model")
    batch = encode(vlm, ["How far?"], [[np.zeros((28, 56, 3), np.uint8)]])
    assert batch["image_grid_thw"].tolist() == [[1, 2, 4]]


def test_settings_in_the_files_of_older_folders_are_read(tmp_path: Path) -> None:
    save_vlm(build_twin("Qwen3-VL"), tmp_path / "model")
    file = tmp_path / "model" / "processor_config.json"
    settings = json.loads(file.read_text())
    file.unlink()
    (tmp_path / "model" / "preprocessor_config.json").write_text(json.dumps(settings["image_processor"]))
    video = {"video_processor_type": "Qwen3VLVideoProcessor", "fps": 5}
    (tmp_path / "model" / "video_preprocessor_config.json").write_text(json.dumps(video))
    vlm = load_vlm(tmp_path / "model")
    assert vlm.processor.image_processor.patch_size == 16
    assert vlm.processor.to_dict()["video_processor"] == video
