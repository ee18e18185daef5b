"""Make the pictures of the README from synthetic rooms: the seven tasks, and a room and a hall to ask about.

Run it as ``python docs/make_pictures.py``.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.config.load import load_recipe
from toolkit.config.recipe import RoomsSource
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.qa.marker import Marker
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import get_task
from toolkit.utils.contact_sheet import Cell, save_png, save_sheet

HERE = Path(__file__).parent
TASKS = {  # by task, the number of the sample that is shown, because it looks good
    "metric_depth": 3,
    "principal_axis_distance": 1,
    "two_point_distance": 2,
    "relative_depth": 0,
    "travel_speed": 2,
    "travel_time": 1,
    "camera_pose": 2,
}
ROOMS = RoomSettings(rooms=400, views=3, seed=11, width=(480, 560), height=(360, 420), noise=1.0)
PRESENTER = Presenter(
    Canonicalisation(focal=380, canvas=Canvas(multiple=28)), Marker("arrow", 16, 2, ("red", "blue", "yellow", "green"))
)
ROOM = RoomSettings(rooms=50, views=1, seed=4, width=(320, 320), height=(240, 240))


def seven_tasks() -> list[Cell]:
    """One cell per task: its marked pictures, its question and its true answer."""
    return [_cell(_mixture(name, seed)[index]) for seed, (name, index) in enumerate(TASKS.items())]


def _mixture(name: str, seed: int) -> Mixture:
    return Mixture(((get_task(name), 1.0),), (Feed("rooms", Rooms(ROOMS)),), PRESENTER, seed, 10)


def _cell(sample: Sample) -> Cell:
    images = tuple(_cut(image, mask=view.mask) for image, view in zip(sample.images, sample.query.views, strict=True))
    return Cell(sample.task.replace("_", " "), images, sample.prompt, sample.completion)


def _cut(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture without the padding that rounds its size up to the model's grid; ``mask`` (h, w) is False there."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def save_room(name: str, settings: RoomSettings, index: int, point: tuple[int, int]) -> None:
    """Save a picture that the documentation asks about, and print its camera and the true distance of the point.

    Args:
        name: The file name of the picture.
        settings: The settings of the rooms.
        index: The number of the picture.
        point: The pixel (u, v) that the documentation asks about; it must have a label.
    """
    frame = Rooms(settings).frame(index)
    save_png(frame.picture.read(), HERE / name, "docs")
    pixels, depth_z = frame.labels.read(frame.camera) if frame.labels else (np.empty((0, 2)), np.empty(0))
    here = np.flatnonzero((pixels == point).all(axis=1))
    distance = frame.camera.distance_from_z(pixels[here], depth_z[here])
    print(f"{name}: intrinsics {frame.camera.intrinsics}, the point {point} is {distance[0]:.2f} m away")


def halls() -> RoomSettings:
    """The settings of halls like those of the recipe ``depth_plus_distance``: other halls, and larger pictures."""
    source = load_recipe("depth_plus_distance").sources["rooms"]
    assert isinstance(source, RoomsSource)
    return replace(source.settings, first=30_000, rooms=9, views=1, width=(320, 320), height=(240, 240))


if __name__ == "__main__":
    save_sheet(seven_tasks(), HERE / "seven_tasks.png", "docs", columns=4, width=330)
    save_room("room.png", ROOM, 13, (165, 190))
    save_room("hall.png", halls(), 3, (118, 112))
