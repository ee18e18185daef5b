"""A predictor on another server.

Pictures are sent as they are, canonical and marked, without loss (PNG). **What the server does with them is out of
reach**: it may resize them by itself, which undoes canonicalisation. vLLM's limits on pixels hold for the whole
server; OpenAI shrinks large pictures. A checkpoint of this toolkit says in its own files that its pictures are not to
be resized, which ``transformers serve`` obeys. See docs/remote.md.
"""

import base64
import io
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from PIL import Image

from toolkit.errors import UserError
from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.address import Remote, RemoteSettings, find_key
from toolkit.modeling.remote.unanswered import ServerFault, Stopped, Unanswered
from toolkit.qa.sample import Sample
from toolkit.utils.arrays import Pixels


class OpenAiPredictor:
    """A model behind an OpenAI-compatible server, asked for its likeliest answers."""

    def __init__(
        self,
        remote: Remote,
        settings: RemoteSettings = RemoteSettings(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect to nothing yet.

        Args:
            remote: The model.
            settings: How it is asked.
            chance: Draws numbers between 0 and 1, which spread the waits between tries and nothing else.

        Raises:
            UserError: If the openai package is missing, or the key in the environment is none.
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
        self._client = Client(remote, settings, find_key(remote), chance)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the answers so far."""
        if "temperature" in self._client.options:
            return ()
        return (f"{self.name} does not take temperature 0: asked again, it may answer otherwise",)

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order, however many are asked at once.

        The very first is asked alone, so that what the server does not take, or that it is down, is found out once.
        A question that is refused does not keep the others from being asked; a server that fails does.

        Raises:
            Unanswered: If there is no answer to some; it holds the answers to the others.
        """
        stop = Event()
        alone = 0 if self._met else 1
        outcomes = [self._outcome(sample, stop) for sample in samples[:alone]]
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                outcomes += pool.map(lambda sample: self._outcome(sample, stop), samples[alone:])
            finally:
                stop.set()  # after an interrupt, what is not yet sent is not sent any more
        replies = [outcome if isinstance(outcome, Reply) else None for outcome in outcomes]
        faults = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, UserError)}
        if faults:
            raise Unanswered(replies, faults)
        return [reply for reply in replies if reply is not None]

    def _outcome(self, sample: Sample, stop: Event) -> Reply | UserError | None:
        """The reply, or why there is none; None if it was not asked for."""
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
        return reply


def message(sample: Sample) -> list[dict[str, Any]]:
    """The parts of the message that asks a Sample's question: the pictures, then the words."""
    pictures = [
        # "high": OpenAI would otherwise look at a small copy.
        {"type": "image_url", "image_url": {"url": _data_url(pixels), "detail": "high"}}
        for pixels in sample.images
    ]
    return [*pictures, {"type": "text", "text": sample.prompt}]


def _data_url(pixels: Pixels) -> str:
    """Pixels (height, width, 3) as a data URL, to the bit."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
