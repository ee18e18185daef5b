"""Measure how much one known length mends a wrong focal length, in synthetic rooms that the tiny model has not seen.

Run it as ``python benchmarks/known_length.py [--rooms 110] [--focal 0.7 1.0 1.4]``. Each room gives two questions: how
far a point is, and how far two points are apart. The model is told a focal length that is wrong by a factor. Each
question is asked three times: with nothing known, with the true distance of another point, and with the true length
between two other points. For each, the script prints the median of |answer / truth - 1|, how many of the intervals hold
the truth, and the median ratio of their upper to their lower end.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.geometry.camera import Camera
from toolkit.inference.asker import Asker, load
from toolkit.inference.known_length import Scale
from toolkit.utils.arrays import Array, Pixels

SEED = 2024
NAMES = ("red", "blue", "green", "yellow")
CLEAR = 0.12  # share of the picture's sides that the points keep from its border
SHORTEST = 0.3  # m; shorter lengths are not asked about
WIDEST = 0.8  # share of the model's picture that two points of one question span at most
NARROWEST = 0.7  # the smallest factor of the focal length, with which the picture is enlarged most

Places = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Room:
    """A picture with four points: the first two are asked about, the last two are known.

    Attributes:
        pixels: The picture (H, W, 3).
        camera: Its true camera.
        places: The pixels of the points by name.
        xyz: The points (4, 3) [m] in the camera frame.
    """

    pixels: Pixels
    camera: Camera
    places: Places
    xyz: Array

    def questions(self) -> Iterator[tuple[str, str, Places, float]]:
        """Yield for each question its name, its words, its points and the true answer [m]."""
        one = {NAMES[0]: self.places[NAMES[0]]}
        two = {name: self.places[name] for name in NAMES[:2]}
        yield "distance", "how far is it", one, float(np.linalg.norm(self.xyz[0]))
        yield "length", "how far apart are they", two, float(np.linalg.norm(self.xyz[0] - self.xyz[1]))

    def scales(self, asker: Asker, camera: Camera) -> Iterator[tuple[str, Scale | None]]:
        """Yield what is known, and the Scale that the model gives with this camera."""
        third, fourth = NAMES[2:]
        distance, length = np.linalg.norm(self.xyz[2]), np.linalg.norm(self.xyz[2] - self.xyz[3])
        known = {"a distance": {(third,): float(distance)}, "a length": {(third, fourth): float(length)}}
        yield "nothing", None
        for name, lengths in known.items():
            yield name, asker.measure_scale(self.pixels, lengths, points=self.places, camera=camera)


def draw_rooms(count: int, focal: float, side: float) -> Iterator[Room]:
    """Yield rooms with four points each.

    Args:
        count: How many rooms.
        focal: The model's canonical focal length [px].
        side: The side of the model's picture [px].
    """
    rng = np.random.default_rng(SEED)
    rooms = Rooms(RoomSettings(rooms=count, views=1, seed=SEED))
    for index in range(count):
        frame = rooms.frame(index)
        pixels, depth_z = frame.labels.read(frame.camera) if frame.labels else (np.empty((0, 2)), np.empty(0))
        shares = (pixels + 0.5) / (frame.camera.width, frame.camera.height)
        clear = np.flatnonzero(((shares > CLEAR) & (shares < 1 - CLEAR)).all(axis=1))
        enlarged = focal / (NARROWEST * frame.camera.fx)
        while True:
            chosen = rng.choice(clear, len(NAMES), replace=False)
            xyz = frame.camera.unproject(pixels[chosen], depth_z[chosen])
            apart = np.abs(pixels[chosen][::2] - pixels[chosen][1::2]).max(axis=1) * enlarged / side
            lengths = np.linalg.norm(xyz[::2] - xyz[1::2], axis=1)
            if (lengths > SHORTEST).all() and (apart < WIDEST).all() and (apart > 1 - WIDEST).all():
                break
        places = dict(zip(NAMES, map(tuple, pixels[chosen].tolist()), strict=True))
        yield Room(frame.picture.read(), frame.camera, places, xyz)


def measure(asker: Asker, rooms: list[Room], factor: float) -> dict[tuple[str, str], Array]:
    """The truth, the answer and the ends of its interval (N, 4) [m], by question and by what is known."""
    rows = defaultdict(list)
    for room in rooms:
        wrong = replace(room.camera, fx=room.camera.fx * factor, fy=room.camera.fy * factor)
        for known, scale in room.scales(asker, wrong):
            for name, words, points, truth in room.questions():
                answer = asker.ask(room.pixels, words, points=points, camera=wrong, known=scale)
                low, high = answer.interval or (np.nan, np.nan)
                rows[name, known].append((truth, np.nan if answer.value is None else answer.value, low, high))
    return {key: np.array(values) for key, values in rows.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=110)
    parser.add_argument("--focal", type=float, nargs="+", default=[0.7, 1.0, 1.4], help="factors of the focal length")
    given = parser.parse_args()
    asker = load("tiny")
    side = asker.presenter.canonicalisation.canvas.square or 0
    rooms = list(draw_rooms(given.rooms, asker.presenter.canonicalisation.focal, side))
    for factor in given.focal:
        print(f"focal length x {factor:g}, {2 * len(rooms)} questions")
        for (name, known), rows in measure(asker, rooms, factor).items():
            truth, value, low, high = rows.T
            error = np.nanmedian(np.abs(value / truth - 1))
            held, width = np.mean((low <= truth) & (truth <= high)), np.nanmedian(high / low)
            print(f"  {name:<9} known: {known:<11} error {error:6.1%}  holds {held:4.0%}  width x {width:.2f}")


if __name__ == "__main__":
    main()
