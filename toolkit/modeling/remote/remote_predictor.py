"""A predictor that asks a model on a server.

Pictures are sent without loss (PNG), canonical and marked as for any other model. **What the server does with them is
beyond this toolkit's control.** It may resize them, which undoes canonicalisation. The limits of vLLM on the number of
pixels hold for the whole server, and OpenAI shrinks large pictures. A checkpoint of this toolkit says in its own files
that its pictures must not be resized, and ``transformers serve`` obeys that. See docs/remote.md.
"""

import base64
import io
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event
from typing import Any

from PIL import Image

from toolkit.errors import UserError
from toolkit.foreign_text import valid_unicode
from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.address import RemoteModel, RemoteSettings, find_key
from toolkit.modeling.remote.unanswered_questions import ServerFault, Stopped, Unanswered
from toolkit.qa.sample import Sample
from toolkit.utils.arrays import Pixels

_COMPRESSION = 2  # of PNG, 0 to 9: a sixth more bytes than the default of 6, in a third of its time


class OpenAiPredictor:
    """A model on an OpenAI-compatible server, which is asked for its most likely answers."""

    def __init__(
        self,
        remote: RemoteModel,
        settings: RemoteSettings = RemoteSettings(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare the predictor; the first question opens the connection.

        Args:
            remote: The model.
            settings: How the server is asked.
            chance: A function that draws a number between 0 and 1. It lengthens the waits between tries, and changes
                nothing else.

        Raises:
            UserError: If the package openai is missing, or the key in the environment cannot be a key.
        """
        try:
            from toolkit.modeling.remote.client import Client
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "openai":
                raise
            raise UserError(
                f"{remote}: other servers are asked with the package openai, which is not installed",
                remedy="pip install '3dqa-toolkit[remote]'",
            ) from None
        self.name = str(remote)
        self._workers = settings.workers
        self._met = False  # whether the server has answered before
        self._unaligned = False  # whether probabilities came that do not spell the answer
        self._client = Client(remote, settings, find_key(remote), chance)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers so far should know."""
        found = {
            f"{self.name} does not take temperature 0: asked again, it may answer otherwise": (
                "temperature" not in self._client.options
            ),
            f"{self.name} gives probabilities of tokens that do not spell the answer: there is no interval": (
                self._unaligned
            ),
        }
        return tuple(note for note, holds in found.items() if holds)

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply for each Sample, in order, however many are asked at once.

        The very first question is asked alone, so that it is found out only once which options the server refuses, or
        that the server is down. If one question is refused, the others are still asked. If the server fails, they are
        not.

        Raises:
            Unanswered: If some questions are not answered. It holds the answers to the others.
        """
        return self.answer_each(samples, lambda index, reply: None)

    def answer_each(self, samples: Sequence[Sample], heard: Callable[[int, Reply], None]) -> list[Reply]:
        """Like ``answer``, and tell each Reply as it comes (``toolkit.modeling.predictor.EagerPredictor``)."""
        stop = Event()
        outcomes: dict[int, Reply | UserError | None] = {}

        def keep(index: int, outcome: Reply | UserError | None) -> None:
            outcomes[index] = outcome
            if isinstance(outcome, Reply):
                heard(index, outcome)

        alone = 0 if self._met else 1
        for index, sample in enumerate(samples[:alone]):
            keep(index, self._outcome(sample, stop))
        pool = ThreadPoolExecutor(self._workers)
        try:
            asked = {pool.submit(self._outcome, samples[index], stop): index for index in range(alone, len(samples))}
            for future in as_completed(asked):
                keep(asked[future], future.result())
        finally:  # after an interrupt, no question is sent any more, and the answers to those sent are not waited for
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        replies = [outcome if isinstance(outcome, Reply) else None for _, outcome in sorted(outcomes.items())]
        faults = {index: outcome for index, outcome in outcomes.items() if isinstance(outcome, UserError)}
        if faults:
            raise Unanswered(replies, dict(sorted(faults.items())))
        return [reply for reply in replies if reply is not None]

    def _outcome(self, sample: Sample, stop: Event) -> Reply | UserError | None:
        """The reply to a question, or why there is none; None if the question was not sent."""
        if stop.is_set():
            return None
        try:
            reply = self._client.ask(message(sample), stop)
        except Stopped:
            return None
        except UserError as fault:
            if isinstance(fault, ServerFault):
                stop.set()
            return fault
        self._met = True
        self._unaligned |= reply.unaligned
        return reply


def message(sample: Sample) -> list[dict[str, Any]]:
    """The parts of the message that asks a Sample's question: first the pictures, then the text."""
    pictures = [
        # Without "high", OpenAI may look at a small copy of the picture.
        {"type": "image_url", "image_url": {"url": _data_url(pixels), "detail": "high"}}
        for pixels in sample.images
    ]
    return [*pictures, {"type": "text", "text": valid_unicode(sample.prompt)}]


def _data_url(pixels: Pixels) -> str:
    """Pixels (height, width, 3), uint8 RGB, as a data URL without loss."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=_COMPRESSION)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
