"""Which dense depth model is used, and how its depths are made comparable: the text that follows ``depth:``.

The text is a model folder or the id of a hub repository, with options after a question mark, such as
``NAME?kind=metric&align=median``. A model gives depth in metres (``kind=metric``), or inverse depth up to an unknown
scale and shift (``kind=relative``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import parse_qsl

from toolkit.data.frames.frame import DepthType
from toolkit.errors import UserError, did_you_mean, raise_all

DepthKind = Literal["metric", "relative"]

Alignment = Literal["none", "scale_shift", "median"]

FocalSource = Literal["camera", "model"]

_CHOICES = {
    "kind": get_args(DepthKind),
    "align": get_args(Alignment),
    "focal": get_args(FocalSource),
    "depth_type": get_args(DepthType),
}

_ALIGNED = {
    ("metric", "median"): "scaled to the truth per picture by the ratio of medians (Zhou et al. 2017)",
    ("relative", "scale_shift"): "aligned to the truth per picture by least squares on inverse depth "
    "(MiDaS, Ranftl et al. 2020, eq. 2)",
    ("relative", "median"): "aligned to the truth per picture by median and mean deviation of inverse depth "
    "(MiDaS, Ranftl et al. 2020, eqs. 5 and 6)",
}
"""How reports name what was fitted to the truth, by kind and alignment."""

_USUAL: dict[DepthKind, Alignment] = {"metric": "none", "relative": "scale_shift"}


@dataclass(frozen=True)
class DepthSpec:
    """A depth model, and how it is used. An option that is None takes what is usual for the model.

    Attributes:
        name: A model folder, or OWNER/NAME or OWNER/NAME@REVISION of a model on the hub.
        kind: What the model gives: depth [m], or inverse depth up to scale and shift.
        align: How its depths are fitted to the labels of each picture. ``none`` is usual for metric models.
            ``scale_shift`` is usual for relative models, which need a fit. A result that was fitted to the truth
            cannot be compared with one that was not, so reports name the fit.
        focal: Where the focal length comes from for a model that needs one (Depth Pro): from the picture's camera,
            which other predictors are told too, or from the model's own estimate.
        depth_type: Whether the model's depth is depth_z, which is usual, or Euclidean distance.
    """

    name: str
    kind: DepthKind | None = None
    align: Alignment | None = None
    focal: FocalSource | None = None
    depth_type: DepthType | None = None

    @classmethod
    def parse(cls, text: str) -> "DepthSpec":
        """Read a spec.

        Args:
            text: The text ``NAME?option=value&...``.

        Raises:
            UserErrors: If an option or a value is unknown, or given twice.
            UserError: If there is no name.
        """
        name, _, query = text.partition("?")
        if not name:
            raise UserError(f"depth:{text}: no depth model is named", remedy="write depth:NAME")
        given = parse_qsl(query, keep_blank_values=True)
        raise_all(f"depth:{text}", _option_faults(given))
        return cls(name, **dict(given))  # type: ignore[arg-type]

    def settled(self, kinds: Sequence[DepthKind], told: DepthKind | None, takes_focal: bool) -> "DepthSpec":
        """The same spec with every option set.

        Args:
            kinds: The kinds of depth that models of this architecture can give.
            told: The kind that this model gives according to its files; None if they do not tell.
            takes_focal: Whether the model needs a focal length to give depth.

        Raises:
            UserError: If the kind is not known, or the options do not fit the model.
        """
        kind = self.kind or told
        if kind is None:
            raise UserError(
                f"depth:{self.name}: its files do not say whether this model gives metres or relative depth",
                remedy=f"write 'depth:{self.name}?kind=metric', or kind=relative for inverse depth up to scale and "
                "shift, as MiDaS gives it",
            )
        if kind not in kinds:
            raise UserError(f"depth:{self.name}: this model gives {kinds[0]} depth", remedy=f"leave out kind={kind}")
        align = self.align or _USUAL[kind]
        if align != _USUAL[kind] and (kind, align) not in _ALIGNED:
            usual = " or ".join(dict.fromkeys((_USUAL[kind], "median")))
            raise UserError(f"depth:{self.name}: {kind} depth takes no align={align}", remedy=f"write align={usual}")
        if self.focal and not takes_focal:
            raise UserError(
                f"depth:{self.name}: this model takes no focal length",
                "its depths come from the picture alone",
                f"leave out focal={self.focal}",
            )
        if self.depth_type == "euclidean" and kind == "relative":
            raise UserError(
                f"depth:{self.name}: relative depth is fitted to depth_z", remedy="leave out depth_type=euclidean"
            )
        focal: FocalSource | None = (self.focal or "camera") if takes_focal else None
        return replace(self, kind=kind, align=align, focal=focal, depth_type=self.depth_type or "z")

    @property
    def title(self) -> str:
        """The name of a settled spec in reports. It holds everything that the numbers depend on."""
        name = Path(self.name).name if Path(self.name).is_dir() else self.name
        details = [f"{self.kind} {'distance' if self.depth_type == 'euclidean' else 'depth'}"]
        if self.focal:
            details.append(f"focal length of the {self.focal}")
        details.append(_ALIGNED.get((self.kind or "", self.align or ""), ""))
        return f"depth:{name} ({', '.join(filter(None, details))})"


def _option_faults(given: Sequence[tuple[str, str]]) -> list[UserError]:
    """Errors in the options as they were written."""
    faults = []
    keys = [key for key, _ in given]
    options = [item.name for item in fields(DepthSpec)][1:]
    for key, value in given:
        if key not in options:
            faults.append(UserError(f"unknown option {key!r}", remedy=did_you_mean(key, options)))
        elif value not in _CHOICES[key]:
            faults.append(UserError(f"{key} cannot be {value!r}", remedy=did_you_mean(value, _CHOICES[key])))
    faults += [UserError(f"{key} is given twice") for key in dict.fromkeys(keys) if keys.count(key) > 1]
    return faults
