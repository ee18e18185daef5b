"""Measure how much faster many points of one picture are answered together than one by one, with the same answers.

Run it as ``python benchmarks/many_points.py [--points 256] [--picture 192]``. Both sides use the same model on the same
device; one of them asks about each point by itself through ``Asker.ask``. The tiny VLM has random weights here: its
answers are nonsense, but they have the length of real answers.
"""

import argparse
import time

from toolkit.config.recipe import TinySettings
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation
from toolkit.inference.asker import Asker
from toolkit.inference.points import grid_points
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.marker import Marker
from toolkit.qa.sample import Presenter, Reference
from toolkit.qa.tasks.registry import get_task
from toolkit.utils.arrays import Pixels

ANSWER_TOKENS = 7  # as in "12.34 m" and the token that ends it
QUESTION = "how far is it"


def make_asker(side: int, reference: Reference, batch: int) -> Asker:
    """An Asker of a tiny VLM that takes square pictures of ``side`` px."""
    task = get_task("metric_depth")
    vlm = build_tiny(TinySettings(picture=side), [task.words.path.read_text()])
    presenter = Presenter(
        Canonicalisation(focal=side * 80 / 96, canvas=vlm.geometry.canvas), Marker("dot", 4), reference
    )
    return Asker(VlmPredictor(vlm, "tiny", batch, ANSWER_TOKENS), presenter, {task.name: task}, batch)


def draw_room() -> tuple[Pixels, Camera]:
    """A picture (h, w, 3) of a synthetic room, and its camera."""
    frame = Rooms(RoomSettings(rooms=1, views=1)).frame(0)
    return frame.picture.read(), frame.camera


def measure_rates(asked: Asker, points: int) -> tuple[float, float, bool]:
    """How many points are answered per second one by one and together, and whether the answers are the same."""
    pixels, camera = draw_room()
    columns = round(points**0.5)
    where = grid_points(columns, points // columns, camera.width, camera.height)
    name = asked.presenter.names(None, 1)[0] if asked.presenter.reference == "marker" else "red"
    asked.ask(pixels, QUESTION, points={name: tuple(where[0])}, camera=camera)  # warm-up
    start = time.perf_counter()
    alone = [asked.ask(pixels, QUESTION, points={name: tuple(place)}, camera=camera) for place in where.tolist()]
    between = time.perf_counter()
    together = asked.ask_many(pixels, QUESTION, where, camera=camera)
    end = time.perf_counter()
    same = [answer.text for answer in alone] == [answer.text for answer in together]
    return len(where) / (between - start), len(where) / (end - between), same


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=256)
    parser.add_argument("--picture", type=int, default=192, help="side length of the model's pictures [px]")
    parser.add_argument("--batch", type=int, default=256, help="how many points are answered at once")
    given = parser.parse_args()
    print(f"{given.points} points of one picture, {given.picture} px, {(given.picture // 12) ** 2} image tokens")
    references: tuple[Reference, ...] = ("text", "marker")
    for reference in references:
        alone, together, same = measure_rates(make_asker(given.picture, reference, given.batch), given.points)
        print(f"{reference:<8}{alone:8.1f} points/s one by one, {together:8.1f} together: {together / alone:.1f} times")
        print(f"{'':<8}{'the same answers' if same else 'THE ANSWERS DIFFER'}")


if __name__ == "__main__":
    main()
