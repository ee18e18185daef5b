"""A tiny random twin of each architecture of depth models, saved as its folders on the hub are."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

HALVES = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
NARROW = {"neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8}


def _dinov2(**changes: Any) -> transformers.Dinov2Config:
    settings = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    return transformers.Dinov2Config(**{**settings, **changes})


def _tokens(**changes: Any) -> transformers.Dinov2Config:
    return _dinov2(out_indices=[1, 2, 3, 4], reshape_hidden_states=False, **changes)


def depth_anything(**changes: Any) -> PreTrainedModel:
    settings = {"backbone_config": _tokens(), "reassemble_hidden_size": 16, "head_hidden_size": 8, **NARROW, **changes}
    return transformers.DepthAnythingForDepthEstimation(transformers.DepthAnythingConfig(**settings))


def dpt() -> PreTrainedModel:
    vit = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16}
    sizes = {"image_size": 32, "patch_size": 16, "backbone_out_indices": [0, 1, 2, 3]}
    return transformers.DPTForDepthEstimation(transformers.DPTConfig(**vit, **sizes, **NARROW))


def dpt_dinov2() -> PreTrainedModel:
    return transformers.DPTForDepthEstimation(
        transformers.DPTConfig(backbone_config=_tokens(), hidden_size=16, reassemble_factors=[4, 2, 1, 0.5], **NARROW)
    )


def glpn() -> PreTrainedModel:
    stages = {"depths": [1] * 4, "hidden_sizes": [8] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    return transformers.GLPNForDepthEstimation(transformers.GLPNConfig(**stages))


def zoedepth() -> PreTrainedModel:
    backbone = transformers.BeitConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    heads = {"bottleneck_features": 8, "num_relative_features": 8, "bin_embedding_dim": 8, "num_attractors": [2] * 4}
    bins = [{"name": "nyu", "n_bins": 8, "min_depth": 1e-3, "max_depth": 10.0}]
    return transformers.ZoeDepthForDepthEstimation(
        transformers.ZoeDepthConfig(backbone_config=backbone, bin_configurations=bins, **heads, **NARROW)
    )


def depth_pro(**changes: Any) -> PreTrainedModel:
    towers = {
        f"{name}_model_config": _dinov2(image_size=32, patch_size=8, num_hidden_layers=2)
        for name in ("image", "patch", "fov")
    }
    features = {"intermediate_hook_ids": [1, 0], "intermediate_feature_dims": [8] * 2}
    scales = {"scaled_images_feature_dims": [8] * 3, "fusion_hidden_size": 8, "merge_padding_value": 1}
    fov = {"use_fov_model": True, "num_fov_head_layers": 0}
    settings = {"patch_size": 32, **towers, **features, **scales, **fov, **changes}
    return transformers.DepthProForDepthEstimation(transformers.DepthProConfig(**settings))


def tipsv2_dpt() -> PreTrainedModel:
    backbone = transformers.Tipsv2VisionConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    return transformers.Tipsv2DptForDepthEstimation(
        transformers.Tipsv2DptConfig(backbone_config=backbone, num_depth_bins=8, **NARROW)
    )


TWINS: Mapping[str, tuple[Callable[..., PreTrainedModel], dict[str, Any]]] = {
    # Settings are those of the models' folders on the hub, with smaller sizes.
    "depth_anything": (
        depth_anything,
        {
            "image_processor_type": "DPTImageProcessor",
            "size": {"height": 56, "width": 56},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 14,
            "do_pad": False,
            "size_divisor": None,
            "resample": 3,
            **HALVES,
        },
    ),
    "dpt": (
        dpt,
        {"feature_extractor_type": "DPTFeatureExtractor", "size": 32, "ensure_multiple_of": 1, "resample": 2, **HALVES},
    ),
    "dpt_dinov2": (
        dpt_dinov2,
        {
            "image_processor_type": "DPTImageProcessor",
            "do_resize": False,
            "do_rescale": False,
            "do_pad": True,
            "size_divisor": 14,
            "image_mean": [123.675, 116.28, 103.53],
            "image_std": [58.395, 57.12, 57.375],
        },
    ),
    "glpn": (glpn, {"feature_extractor_type": "GLPNFeatureExtractor", "do_resize": True, "size_divisor": 32}),
    "zoedepth": (
        zoedepth,
        {
            "image_processor_type": "ZoeDepthImageProcessor",
            "size": {"height": 48, "width": 64},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 16,
            "do_pad": True,
            "resample": 2,
            **HALVES,
        },
    ),
    "depth_pro": (
        depth_pro,
        {"image_processor_type": "DepthProImageProcessor", "size": {"height": 128, "width": 128}, **HALVES},
    ),
    "tipsv2_dpt": (
        tipsv2_dpt,
        {"image_processor_type": "Tipsv2DptImageProcessor", "size": {"height": 56, "width": 56}},
    ),
}


def save_twin(name: str, folder: Path, **changes: Any) -> str:
    """A twin's folder; ``changes`` are of its configuration."""
    build, settings = TWINS[name]
    model = build(**changes)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # as built, their depths would hardly differ from pixel to pixel
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return str(folder)
