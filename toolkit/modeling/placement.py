"""Where a model's weights are put, and with how many bits: what the user says about it, before torch is imported."""

import re
from dataclasses import dataclass

from toolkit.errors import UserError, did_you_mean

AUTO = "auto"
"""The device that is a GPU of CUDA if there is one; the type that the files have."""

DTYPES = (AUTO, "float32", "bfloat16", "float16")
"""The types of weights that can be asked for."""

QUANTIZATIONS = ("4bit", "8bit")
"""The ways in which bitsandbytes can shorten weights."""

_DEVICES = (AUTO, "cpu", "cuda", "mps")
_NUMBERED_GPU = re.compile(r"cuda:\d{1,3}", re.ASCII)


@dataclass(frozen=True)
class Placement:
    """Where a model's weights are put, and in which type.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: The type of the weights. ``auto`` is that of the files, or float32 on a CPU that is slow in bfloat16.
        quantize: Whether the language model's weights are shortened to ``4bit`` or ``8bit``; None for neither.

    Raises:
        UserError: If one of them is unknown, or if they contradict each other.
    """

    device: str = AUTO
    dtype: str = AUTO
    quantize: str | None = None

    def __post_init__(self) -> None:
        """Check the words; whether this machine has the device is checked before a model is loaded."""
        if self.device not in _DEVICES and not _NUMBERED_GPU.fullmatch(self.device):
            raise UserError(
                f"--device {self.device}: there is no such device",
                remedy=f"{did_you_mean(self.device, _DEVICES)}; cuda:1 is the second GPU",
            )
        for flag, given, known in (("dtype", self.dtype, DTYPES), ("quantize", self.quantize, QUANTIZATIONS)):
            if given is not None and given not in known:
                raise UserError(f"--{flag} {given} is not known", remedy=did_you_mean(given, known))
        if self.quantize and self.device in ("cpu", "mps"):
            raise UserError(
                f"--quantize {self.quantize} and --device {self.device} contradict each other",
                "bitsandbytes shortens weights on GPUs of CUDA alone",
                "leave one of them out",
            )

    @property
    def words(self) -> list[str]:
        """What changes answers beyond rounding, for the names of evaluations: ``float16``, ``4bit``; [] by default."""
        return [*([self.dtype] if self.dtype != AUTO else []), *([self.quantize] if self.quantize else [])]

    def check_unused(self, what: str) -> None:
        """Check that nothing was said about weights, where none are loaded here.

        Args:
            what: What is asked instead of a model on this machine.

        Raises:
            UserError: If something was said.
        """
        given = {"--device": self.device != AUTO, "--dtype": self.dtype != AUTO, "--quantize": self.quantize}
        for flag, said in given.items():
            if said:
                raise UserError(
                    f"{flag} is for models that are loaded on this machine", f"{what} is asked here", "leave it out"
                )
