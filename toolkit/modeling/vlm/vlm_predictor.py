"""Vlm predictor."""

from collections.abc import Sequence

from toolkit.modeling.predictor import Reply
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.sample import Sample


class VlmPredictor:
    """A vision-language model, decoding greedily."""

    def __init__(self, vlm: Vlm, name: str, batch_size: int = 32, max_new_tokens: int = 64) -> None:
        self.name = name
        self._vlm = vlm
        self._batch_size = batch_size
        self._max_new_tokens = max_new_tokens

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order.

        Raises:
            GeometryError: If a picture would reach the model at another size.
        """
        return generate(
            self._vlm,
            [sample.prompt for sample in samples],
            [sample.images for sample in samples],
            max_new_tokens=self._max_new_tokens,
            batch_size=self._batch_size,
        )
