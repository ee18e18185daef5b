"""The model that a recipe names."""

import pytest

from toolkit.config.recipe import ModelSettings
from toolkit.modeling.vlm.load_vlm import open_model


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_untrained_weights_compute_attention_as_the_recipe_says(attention: str) -> None:
    settings = ModelSettings.model_validate({"name": "tiny-random", "attention": attention})
    model = open_model(settings).model
    said = {module.config._attn_implementation for module in model.modules() if hasattr(module, "is_causal")}
    assert said == {attention}
