"""A predictor that asks a vision-language model in this process."""

from collections.abc import Sequence

from toolkit.modeling.predictor import Reply
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.sample import Sample


class VlmPredictor:
    """A vision-language model that decodes greedily.

    Args:
        vlm: The model.
        name: The name of the model in reports.
        batch_size: How many questions are answered at a time.
        max_new_tokens: The highest number of tokens in an answer.
    """

    notes = ()

    def __init__(self, vlm: Vlm, name: str, batch_size: int = 32, max_new_tokens: int = 64) -> None:
        self.name = name
        self._vlm = vlm
        self.batch_size = batch_size
        self._max_new_tokens = max_new_tokens

    @property
    def placement(self) -> dict[str, str | None]:
        """Where the weights are, and with how many bits."""
        return self._vlm.placement_to_json()

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give one Reply for each Sample, in order.

        Raises:
            PictureSizeError: If a picture would reach the model resized.
        """
        return generate(
            self._vlm,
            [sample.turns[0].prompt for sample in samples],
            [sample.images for sample in samples],
            max_new_tokens=self._max_new_tokens,
            batch_size=self.batch_size,
        )
