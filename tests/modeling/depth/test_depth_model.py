"""Tiny random depth models, loaded from folders as those of the hub are."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.depth_models import TWINS, save_twin
from tests.support.hub_server import HubServer
from toolkit.data.frames.frame import Frame, ImageArray
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.modeling.depth.depth_architectures import prepare
from toolkit.modeling.depth.depth_model import DepthModel, load_depth_model
from toolkit.modeling.depth.depth_model_spec import DepthSpec

CAMERA = Camera.from_focal(90, 60, 80)


def frame(seed: int, width: int = 90) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, width, 3), dtype=np.uint8)
    return Frame(ImageArray(pixels), Camera.from_focal(width, 60, 80))


def load(name: str, folder: Path, **changes: object) -> DepthModel:
    return load_depth_model(DepthSpec(save_twin(name, folder, **changes), "metric"), "cpu")


def network_output(model: DepthModel, taken: Frame):
    """What transformers' own model gives for a picture as it is prepared."""
    with torch.inference_mode():
        return model.network(pixel_values=prepare(model.architecture, model.processor, taken)[0][None])


@pytest.mark.parametrize("name", sorted(set(TWINS) - {"depth_pro"}))
def test_maps_are_what_the_network_gives(name: str, tmp_path: Path) -> None:
    model = load(name, tmp_path)
    (made,) = model.predict([frame(0)])
    assert np.ptp(made.values) > 0  # it tells pixels apart
    np.testing.assert_allclose(made.values, network_output(model, frame(0)).predicted_depth[0], rtol=1e-5, atol=1e-6)
    assert made.size == (90, 60) and not made.inverse


@pytest.mark.parametrize("focal", ["camera", "model"])
def test_depth_pro_scales_inverse_depth_by_the_focal_length(focal, tmp_path: Path) -> None:
    model = load_depth_model(DepthSpec(save_twin("depth_pro", tmp_path), focal=focal), "cpu")
    (made,) = model.predict([frame(0)])
    output = network_output(model, frame(0))
    pixels = 80 if focal == "camera" else 45 / math.tan(math.radians(float(output.field_of_view[0])) / 2)
    np.testing.assert_allclose(made.values, output.predicted_depth[0] * 90 / pixels, rtol=1e-4)
    assert made.inverse


def test_depth_pro_without_a_focal_length_of_its_own(tmp_path: Path) -> None:
    name = save_twin("depth_pro", tmp_path, use_fov_model=False)
    assert load_depth_model(DepthSpec(name), "cpu").spec.focal == "camera"
    with pytest.raises(UserError, match="estimates no focal length"):
        load_depth_model(DepthSpec(name, focal="model"))


def test_pictures_of_all_sizes_in_one_call(tmp_path: Path) -> None:
    model = load("depth_anything", tmp_path)
    frames = [frame(0), frame(1, 130), frame(2), frame(3, 130)]
    for taken, together in zip(frames, model.predict(frames), strict=True):
        (alone,) = model.predict([taken])
        np.testing.assert_allclose(together.values, alone.values, rtol=1e-4, atol=1e-6)
        assert together.size == (taken.camera.width, 60)


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_depth_anything_says_itself_what_it_gives(kind: str, tmp_path: Path) -> None:
    name = save_twin("depth_anything", tmp_path, depth_estimation_type=kind, max_depth=20)
    assert load_depth_model(DepthSpec(name), "cpu").spec.kind == kind


def test_dpt_in_a_folder_must_be_told(tmp_path: Path) -> None:
    name = save_twin("dpt", tmp_path)
    with pytest.raises(UserError, match="do not say whether this model gives metres"):
        load_depth_model(DepthSpec(name))
    assert load_depth_model(DepthSpec(name, kind="relative"), "cpu").spec.align == "scale_shift"


def _drop(folder: Path, part: str) -> int:
    """Leave weights out of a model's file."""
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in weights.items() if part not in key}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return len(weights) - len(kept)


def test_weights_that_nothing_uses_may_be_missing(tmp_path: Path) -> None:
    whole = load("dpt", tmp_path).predict([frame(0)])[0]
    assert _drop(tmp_path, "fusion_stage.layers.0.residual_layer1.") == 4  # as in the files of MiDaS
    without = load_depth_model(DepthSpec(str(tmp_path), "metric"), "cpu").predict([frame(0)])[0]
    assert np.array_equal(whole.values, without.values)


def test_other_weights_may_not_be_missing(tmp_path: Path) -> None:
    save_twin("dpt", tmp_path)
    assert _drop(tmp_path, "fusion_stage.layers.1.residual_layer1.")
    with pytest.raises(UserError, match="weights are not in its files"):
        load_depth_model(DepthSpec(str(tmp_path), "metric"))


def test_a_model_on_the_hub(tmp_path: Path, hub: HubServer) -> None:
    hub.add("ada/depth", Path(save_twin("glpn", tmp_path / "glpn")))
    model = load_depth_model(DepthSpec("ada/depth", "metric"), "cpu")
    assert model.spec.title.startswith("depth:ada/depth (")
    kept = load_depth_model(DepthSpec(str(tmp_path / "glpn"), "metric"), "cpu").network.state_dict()
    assert all(torch.equal(weight, kept[name]) for name, weight in model.network.state_dict().items())


def test_no_model() -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        load_depth_model(DepthSpec("./nowhere"))


def test_a_folder_without_its_processor(tmp_path: Path) -> None:
    save_twin("dpt", tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="cannot be loaded"):
        load_depth_model(DepthSpec(str(tmp_path), "metric"))
