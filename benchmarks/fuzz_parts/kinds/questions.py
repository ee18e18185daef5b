"""Questions and points: the arguments of ``toolkit ask``, and files of points."""

import io
import json
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import write_pictures
from benchmarks.fuzz_parts.mutations import dump_json, mutate_bytes, mutate_json, mutate_text, repeatedly

_POINT = ("--point", "red=20,15")
_BOTH = (*_POINT, "--point", "blue=50%,40%")
_SCENES: tuple[tuple[str, ...], ...] = (
    ("0.png", "how far is the red point", *_POINT),
    ("0.png", "what is the depth of this point in cm", "--point", "yellow=1e1,2.5e1"),
    ("0.png", "how far is it (km)", "--point", "RED=0,0", "--raw"),
    ("0.png", "How far is the red point from the blue point in feet?", *_BOTH),
    ("0.png", "How far is the red point from the camera?", *_POINT, "--check"),
    ("0.png", "How far is the red point from the blue point?", *_BOTH, "--task", "two_point_distance", "--check"),
    ("0.png", "how far is it", "--grid", "4x3"),
    ("0.png", "depth", "--grid", "2*2", "--task", "metric_depth"),
    ("0.png", "wie weit ist der rote Punkt", *_POINT, "--task", "metric_depth"),
    ("0.png", "Which is closer, red or blue?", *_BOTH, "--raw"),
    ("0.png", "How fast must I walk to reach the red point in 4 s?", *_POINT, "--raw"),
    ("0.png", "How many boxes are in the picture?", "--raw"),
    ("0.png", "1.png", "how far has the camera moved between these images", "--raw"),
    ("0.png", "1.png", "how far has the camera moved", "--task", "camera_pose"),
)
_END = ("--model", "tiny", "--focal", "40")
_WORDS = ("-1", "nan", "1e400", "%", "100%", ",", "=", "red", "feet", "km/h", "½", "٣", "²", "in")
_CONFUSABLE = (
    *_WORDS,
    "  ",
    "\u2028",
    "\ud800",
    *"0123456789.,-+eE%=",
    "x" * 3000,
    "1" * 5000,
    "red point " * 50,
    "\x1b[31m",
)


def _mutate(text: str, rng: Random) -> str:
    return mutate_text(text, rng, _CONFUSABLE).replace("\x00", "")


def _draw(sound: Path, rng: Random) -> Case:
    scene = list(rng.choice(_SCENES))
    end = (*_END, *(("--json",) if rng.random() < 0.5 else ()))
    if rng.random() < 0.25:
        name, content = _points_file(rng)
        return Case(("ask", "0.png", "how far is it", "--points", name, *end), {name: content})
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(1, len(scene))
        scene[at] = repeatedly(_mutate, scene[at], rng)
    return Case(("ask", *scene, *end))


def _points_file(rng: Random) -> tuple[str, bytes]:
    kind = rng.randrange(4)
    if kind == 0:
        value = repeatedly(mutate_json, [[20, 15], [3.5, 4]], rng)
        return "points.json", dump_json(value).encode("utf-8", "surrogatepass")
    if kind == 1:
        npy = io.BytesIO()
        np.save(npy, rng.choice([np.array([[20.0, 15.0]]), np.array([[1, 2], [3, 4]], dtype=np.int32)]))
        return "points.npy", repeatedly(mutate_bytes, npy.getvalue(), rng)
    if kind == 2:
        text = rng.choice(["u,v\n20,15\n3,4\n", "# points\n20 15\n\n50%,40%\n", "name,u,v\na,20,15\n"])
        return "points.csv", repeatedly(_mutate, text, rng).encode("utf-8", "surrogatepass")
    return "points.txt", repeatedly(mutate_bytes, json.dumps([20, 15]).encode(), rng)


KIND = Kind("questions", write_pictures, _draw, tuple(("ask", *scene, *_END) for scene in _SCENES))
