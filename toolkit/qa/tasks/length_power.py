"""How the answers to a task depend on lengths, found from what the task itself says is the true answer.

The points and cameras of a question are placed in small invented worlds, and the task labels the question there. If all
lengths of a world are doubled, a length doubles, as do the speed and the time of a journey; an area becomes four times
as large; and an angle or the name of the nearer point stays as it is.

Conventions: see ``toolkit.geometry.camera``.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.qa.parsing.answer import Motion
from toolkit.qa.query import Query
from toolkit.qa.tasks.task import Task, label_of

_WORLDS = ((2.0, 1.3), (5.3, -0.4), (3.1, 0.45))
"""Each world's depth_z of the first point [m], and how much farther each further point is [m]."""

_TOLERANCE = 1e-6

_SECOND_POSE = np.array([[0.8, 0, 0.6, 0.3], [0, 1, 0, -0.1], [-0.6, 0, 0.8, 0.6], [0, 0, 0, 1]])
"""The pose of the second camera [m] in every world; the first camera stands at the origin."""


def length_power(task: Task, query: Query) -> float | None:
    """The power of lengths with which the number in an answer grows: 1 for lengths, 0 for angles, names and counts.

    Args:
        task: The task.
        query: A question of the task. Its points may have any depth, and its pictures need no poses.

    Returns:
        The power; None if the task's label cannot tell it, or if the answer is no power of lengths, or if it is neither
        a number nor a motion.
    """
    powers = []
    for world in _WORLDS:
        try:
            labels = [label_of(task, _placed(query, *world, size)) for size in (1.0, 2.0)]
        except (UserError, NotImplementedError):
            return None
        small, large = (task.number(label) for label in labels)
        if small is None or large is None:
            return 0.0
        if not all(isinstance(label, int | float | Motion) for label in labels):
            return None
        if small == large == 0:
            continue
        if not (math.isfinite(small) and math.isfinite(large) and small * large > 0):
            return None
        powers.append(math.log2(large / small))
    if not powers or max(powers) - min(powers) > _TOLERANCE:
        return None
    return round(powers[0], 6)


def is_length_between(task: Task, query: Query) -> bool:
    """Whether the answers to a question about two points are the length [m] between them.

    Args:
        task: The task.
        query: A question of the task about two points of one picture.
    """
    for world in _WORLDS:
        placed = _placed(query, *world, 1.0)
        first, second = placed.points
        try:
            label: Any = label_of(task, placed)
        except (UserError, NotImplementedError):
            return False
        if not isinstance(label, int | float) or not math.isclose(label, np.linalg.norm(first.xyz - second.xyz)):
            return False
    return True


def _placed(query: Query, first: float, farther: float, size: float) -> Query:
    """A question in a world whose lengths are ``size`` times as long; see ``_WORLDS`` for the other arguments."""
    moved = _SECOND_POSE * np.array([1, 1, 1, size])
    moved[3, 3] = 1
    poses = (np.eye(4), moved)
    views = tuple(
        replace(view, frame=replace(view.frame, world_from_camera=pose))
        for view, pose in zip(query.views, poses, strict=False)
    )
    depths = [size * first * math.exp(index * farther / first) for index, _ in enumerate(query.points)]
    return replace(query, views=views).placed(depths)
