"""Processors for pictures and text that need neither torchvision nor any other video library, with bounded chats.

The stock processors of these architectures also build a video processor, which needs torchvision (and num2words for
SmolVLM). The classes here have the names of the stock classes and leave video out. What they save is a stock folder,
which ``AutoProcessor.from_pretrained`` reads wherever torchvision is installed.
"""

import json
from pathlib import Path
from typing import Any, ClassVar, Self

import transformers
from transformers.processing_utils import ImagesKwargs, ProcessorMixin, TextKwargs

from toolkit.modeling.vlm.chat_template import BoundedChat

_PROCESSOR_FILE = "processor_config.json"

_VIDEO_FILE = "video_preprocessor_config.json"


def _settings(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is no such file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


class LlavaProcessor(BoundedChat, transformers.LlavaProcessor):
    """The processor of LLaVA."""


class Idefics3Processor(BoundedChat, transformers.Idefics3Processor):
    """The processor of Idefics3."""


class Gemma3Processor(BoundedChat, transformers.Gemma3Processor):
    """The processor of Gemma 3."""


class _WithoutVideo(BoundedChat):
    """A processor that keeps the settings of its video processor, but never builds one."""

    stock_video: ClassVar[str]
    video_settings: dict[str, Any] | None = None

    @classmethod
    def from_pretrained(cls, name: Any, **kwargs: Any) -> Self:  # type: ignore[override]
        """Load a stock folder, including the settings of its video processor."""
        processor = super().from_pretrained(name, **kwargs)
        nested = _settings(Path(name, _PROCESSOR_FILE)).get("video_processor")
        processor.video_settings = nested or _settings(Path(name, _VIDEO_FILE)) or None
        return processor

    def to_dict(self) -> dict[str, Any]:
        """The settings that are saved, in the form of the stock processor, which has a video processor."""
        settings = self.video_settings or {"video_processor_type": self.stock_video}
        return {**super().to_dict(), "video_processor": settings}


class Qwen2_5_VLProcessor(_WithoutVideo, transformers.Qwen2_5_VLProcessor):  # noqa: N801 - the stock name
    """The processor of Qwen2.5-VL."""

    stock_video = "Qwen2VLVideoProcessor"

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any) -> None:
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template)


class Qwen3VLProcessor(_WithoutVideo, transformers.Qwen3VLProcessor):
    """The processor of Qwen3-VL."""

    stock_video = "Qwen3VLVideoProcessor"

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any) -> None:
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template)


class InternVLProcessor(_WithoutVideo, transformers.InternVLProcessor):
    """The processor of InternVL; pictures are never cut into tiles."""

    stock_video = "InternVLVideoProcessor"
    images_kwargs = ImagesKwargs(crop_to_patches=False)  # type: ignore[typeddict-unknown-key]

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        image_seq_length: int = 256,
        chat_template: Any = None,
        **_: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, None, image_seq_length, chat_template)


class SmolVLMProcessor(_WithoutVideo, transformers.SmolVLMProcessor):  # type: ignore[misc]
    """The processor of SmolVLM, without num2words, which only questions about videos need."""

    stock_video = "SmolVLMVideoProcessor"

    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        image_seq_len: int = 169,
        chat_template: Any = None,
        **_: Any,
    ) -> None:
        self.fake_image_token = getattr(tokenizer, "fake_image_token", "<fake_token_around_image>")
        self.image_token = getattr(tokenizer, "image_token", "<image>")
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.end_of_utterance_token = getattr(tokenizer, "end_of_utterance_token", "<end_of_utterance>")
        self.global_image_token = getattr(tokenizer, "global_image_token", "<global-img>")
        self.image_seq_len = image_seq_len
        self.video_token = getattr(tokenizer, "video_token", "<video>")
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


class PixtralProcessor(BoundedChat):
    """The processor of Pixtral, whose stock module cannot be imported without torchvision."""

    text_kwargs = TextKwargs(return_tensors="pt")
    images_kwargs = ImagesKwargs(return_tensors="pt")

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        patch_size: int = 16,
        spatial_merge_size: int = 1,
        chat_template: Any = None,
        image_token: str = "[IMG]",
        image_break_token: str = "[IMG_BREAK]",
        image_end_token: str = "[IMG_END]",
        **_: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)
        self.patch_size = patch_size
        self.spatial_merge_size = spatial_merge_size
        self.image_token = image_token
        self.image_break_token = image_break_token
        self.image_end_token = image_end_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)

    def _process_images(self, images: Any, **kwargs: Any) -> Any:
        kwargs["patch_size"] = self.patch_size * self.spatial_merge_size
        return super()._process_images(images, **kwargs)

    def replace_image_token(self, image_inputs: Any, image_idx: int, **_: Any) -> str:
        """The tokens of a picture: one for each patch, a break after each row of patches, and an end after the last."""
        side = self.patch_size * self.spatial_merge_size
        height, width = (int(length) // side for length in image_inputs["image_sizes"][image_idx])
        return self.image_break_token.join([self.image_token * width] * height) + self.image_end_token

    @property
    def model_input_names(self) -> list[str]:
        """The names of the tensors that the model takes."""
        return [*self.tokenizer.model_input_names, *self.image_processor.model_input_names, "image_sizes"]
