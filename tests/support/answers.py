"""Answers to show: one with a number, and one that could not be read."""

from dataclasses import replace

from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import CameraSource
from toolkit.inference.answer import Answer
from toolkit.inference.camera_source import KnownCamera
from toolkit.inference.points import LocatedPoint, PointSource

CAMERA = Camera.from_fov(4032, 3024, 65)


NUMBER = Answer(
    value=2.42,
    said="2.42 m",
    unit="m",
    interval=(2.1, 2.9),
    probability=0.7,
    text="2.42 m",
    task="metric_depth",
    prompt="How far is the point marked by the red dot from the camera, in meters?",
    points={"red": LocatedPoint((1620.0, 2240.5), PointSource.FLAG)},
    cameras=[KnownCamera(CAMERA, CameraSource.EXIF_35MM)],
    model="runs/all_tasks",
)


UNREAD = replace(NUMBER, value=None, said="", interval=None, text="I cannot tell.")
