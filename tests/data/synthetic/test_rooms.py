"""Tests of ``toolkit.data.synthetic.rooms`` and of the ray-caster below it, on scenes with hand-computed answers."""

import hashlib
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from toolkit.data.frames.frame import Frame
from toolkit.data.synthetic.drawing import LICENSE
from toolkit.data.synthetic.furniture import SATURATION, RoomSpace, furnish
from toolkit.data.synthetic.raycast import FacePatch, RayHits, RoomScene, Solid, cast_rays, pose_from_angles
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.data.synthetic.shading import RoomLight, RoomLook, Texture, scale_textures, shade
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import checked_pose, inverse, rotation_angle, transform
from toolkit.utils.arrays import Array

SMALL = RoomSettings(rooms=6, views=3)
BARE = RoomSettings(
    rooms=10, views=2, objects=(0, 0), room_width=(4.0, 4.0), room_depth=(6.0, 6.0), room_height=(2.5, 2.5)
)
CAMERA = Camera(50.0, 50.0, 31.0, 20.0, 64, 48)


def depth_map(frame: Frame) -> Array:
    assert frame.labels is not None
    pixels, depth_z = frame.labels.read(frame.camera)
    grid = np.full((frame.camera.height, frame.camera.width), np.nan)
    columns, rows = pixels.astype(int).T
    grid[rows, columns] = depth_z
    return grid


def posed(frame: Frame) -> Array:
    assert frame.world_from_camera is not None
    return frame.world_from_camera


def digest(settings: RoomSettings, index: int) -> str:
    frame = Rooms(settings).frame(index)
    parts = [frame.picture.read().tobytes(), depth_map(frame).tobytes(), posed(frame).tobytes()]
    return hashlib.sha256(b"".join(parts) + str(frame.camera).encode()).hexdigest()


def nearest_plane(origin: Array, way: Array, planes: list[tuple[int, float]]) -> float:
    """Least t > 0 with origin + t way on one of the planes (axis, coordinate)."""
    times = [(at - origin[axis]) / way[axis] for axis, at in planes if way[axis] != 0]
    return min(t for t in times if t > 0)


def hits_of(solid: Solid, world_from_camera: Array) -> RayHits:
    return cast_rays(RoomScene((20.0, 10.0, 20.0), (solid,), ()), CAMERA, world_from_camera)


def test_every_pixel_of_a_bare_room_has_the_depth_of_the_nearest_plane() -> None:
    planes = [(0, -2.0), (0, 2.0), (1, -2.5), (1, 0.0), (2, -3.0), (2, 3.0)]
    rooms = Rooms(BARE)
    for index in range(len(rooms)):
        frame = rooms.frame(index)
        camera, grid = frame.camera, depth_map(frame)
        assert np.isfinite(grid).all()
        for v in range(0, camera.height, 7):
            for u in range(0, camera.width, 7):
                ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
                way = posed(frame)[:3, :3] @ ray
                expected = nearest_plane(posed(frame)[:3, 3], way, planes)
                assert abs(grid[v, u] - expected) < 1e-9


def test_top_left_pixel_centre_is_zero_zero() -> None:
    camera = Camera(10.0, 10.0, 0.0, 0.0, 4, 3)
    hits = cast_rays(
        RoomScene((40.0, 40.0, 8.0), (), ()), camera, pose_from_angles(0, 0, 0, np.array([0.0, -20.0, -1.0]))
    )
    np.testing.assert_allclose(hits.depth_z, 5.0, atol=1e-12)
    np.testing.assert_allclose(hits.point[:, 0, 0], [0.0, -20.0, 4.0], atol=1e-6)
    np.testing.assert_allclose(hits.point[:, 2, 3], [1.5, -19.0, 4.0], atol=1e-6)


def test_pose_turns_right_and_up() -> None:
    ahead = pose_from_angles(90, 0, 0, np.zeros(3))[:3, :3] @ (0, 0, 1)
    np.testing.assert_allclose(ahead, [1, 0, 0], atol=1e-12)
    up = pose_from_angles(0, 30, 0, np.zeros(3))[:3, :3] @ (0, 0, 1)
    np.testing.assert_allclose(up, [0, -0.5, np.sqrt(0.75)], atol=1e-12)
    right = pose_from_angles(0, 0, 90, np.zeros(3))[:3, :3] @ (1, 0, 0)
    np.testing.assert_allclose(right, [0, 1, 0], atol=1e-12)


def test_depth_of_a_box_a_cylinder_and_a_ball_straight_ahead() -> None:
    eye = pose_from_angles(0, 0, 0, np.array([0.0, -0.5, -3.0]))
    for kind in ("box", "cylinder", "ball"):
        hits = hits_of(Solid(kind, 0.0, 0.0, 0.0, (1.0, 1.0, 1.0), (6, 7, 8)), eye)
        assert abs(hits.depth_z[20, 31] - 2.5) < 1e-9, kind
        np.testing.assert_allclose(hits.normal[:, 20, 31], [0, 0, -1], atol=1e-6)
    turned = hits_of(Solid("box", 0.0, 0.0, 45.0, (1.0, 1.0, 1.0), (6, 7, 8)), eye)
    assert abs(turned.depth_z[20, 31] - (3 - np.sqrt(0.5))) < 1e-9


@pytest.mark.parametrize(("eye", "angles"), [((0.0, -1.7, -2.5), (5, -20, 3)), ((1.2, -0.9, 1.0), (-120, -10, -4))])
def test_a_turned_box_is_hit_where_half_spaces_say(
    eye: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    solid = Solid("box", 0.3, 0.2, 25.0, (0.8, 1.1, 0.5), (6, 7, 8))
    yaw, pitch, roll = angles
    world_from_camera = pose_from_angles(yaw, pitch, roll, np.array(eye))
    hits = hits_of(solid, world_from_camera)
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    axes, middle = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]), np.array([0.3, -0.55, 0.2])
    seen = 0
    for v in range(0, 48, 2):
        for u in range(0, 64, 2):
            way = world_from_camera[:3, :3] @ ((u - 31) / 50, (v - 20) / 50, 1.0)
            times = []
            for axis, half in zip(axes, (0.4, 0.55, 0.25), strict=True):
                away, speed = axis @ (world_from_camera[:3, 3] - middle), axis @ way
                times.append(sorted([(-half - away) / speed, (half - away) / speed]))
            enter, leave = max(t[0] for t in times), min(t[1] for t in times)
            assert (hits.surface[v, u] >= 6) == (0 < enter < leave)
            if 0 < enter < leave:
                seen += 1
                assert abs(hits.depth_z[v, u] - enter) < 1e-9
    assert seen > 30


def test_a_ball_is_hit_where_the_ray_passes_within_its_radius() -> None:
    world_from_camera = pose_from_angles(8, -12, 2, np.array([0.0, -1.4, -2.0]))
    hits = hits_of(Solid("ball", 0.4, 1.0, 0.0, (0.7, 0.7, 0.7), (6, 7, 8)), world_from_camera)
    centre = np.array([0.4, -0.35, 1.0]) - world_from_camera[:3, 3]
    ways = np.moveaxis(hits.rays, 0, -1)
    along = ways @ centre / np.linalg.norm(ways, axis=-1)
    passes = centre @ centre - along**2 < 0.35**2
    np.testing.assert_array_equal(hits.surface >= 6, passes)
    on = ways[passes] * hits.depth_z[passes][:, None] - centre
    np.testing.assert_allclose(np.linalg.norm(on, axis=-1), 0.35, atol=1e-9)


def test_a_cylinder_is_hit_on_its_top_and_its_side() -> None:
    world_from_camera = pose_from_angles(0, -25, 0, np.array([0.1, -1.6, -2.0]))
    hits = hits_of(Solid("cylinder", 0.0, 0.0, 0.0, (0.8, 0.6, 0.8), (6, 7, 8)), world_from_camera)
    exact = hits.rays * hits.depth_z + world_from_camera[:3, 3][:, None, None]
    top, side = hits.surface == 7, hits.surface == 6
    assert top.sum() > 20
    assert side.sum() > 20
    np.testing.assert_allclose(exact[1][top], -0.6, atol=1e-9)
    np.testing.assert_allclose(np.hypot(exact[0], exact[2])[side], 0.4, atol=1e-9)
    assert np.all((exact[1][side] >= -0.6 - 1e-9) & (exact[1][side] <= 1e-9))


def test_the_nearest_of_several_solids_is_seen() -> None:
    solids = (
        Solid("box", 0.0, 1.0, 20.0, (1.0, 1.0, 0.5), (6, 7, 8)),
        Solid("ball", 0.3, 0.0, 0.0, (0.6, 0.6, 0.6), (9, 10, 11)),
        Solid("cylinder", -0.6, 2.5, 0.0, (0.5, 1.8, 0.5), (12, 13, 14)),
    )
    eye = pose_from_angles(0, -10, 0, np.array([0.0, -1.2, -2.0]))
    together = cast_rays(RoomScene((20.0, 10.0, 20.0), solids, ()), CAMERA, eye)
    alone = [hits_of(solid, eye) for solid in solids]
    np.testing.assert_array_equal(together.depth_z, np.min([hits.depth_z for hits in alone], axis=0))
    assert {6, 9, 12} <= {3 * (row // 3) for row in np.unique(together.surface)}


def test_clearance_is_the_distance_in_plan_from_the_outline() -> None:
    box = Solid("box", 1.0, 2.0, 30.0, (2.0, 1.0, 0.6), (6, 7, 8))
    ways = np.array([[np.cos(np.radians(30)), -0.5], [0.5, np.cos(np.radians(30))]])  # its own x and z in (x, z)
    own = np.array([[1.5, 0.0], [0.0, 0.7], [1.3, 0.7], [0.0, 0.0]])
    x, z = (own @ ways + (1.0, 2.0)).T
    np.testing.assert_allclose(box.clearance(x, z), [0.5, 0.4, 0.5, -0.3], atol=1e-12)
    ball = Solid("ball", 1.0, 2.0, 0.0, (1.0, 1.0, 1.0), (6, 7, 8))
    np.testing.assert_allclose(ball.clearance(np.array([4.0, 1.0]), np.array([6.0, 2.0])), [4.5, -0.5])


def test_furniture_stands_in_the_room_apart_and_away_from_the_eye() -> None:
    for seed in range(20):
        space = RoomSpace((4.0, 2.4, 5.0), (0.5, -1.0), 0.6)
        scene, look = furnish(np.random.default_rng(seed), space, (12, 12))
        assert len(scene.solids) > 2
        for solid in scene.solids:
            assert solid.clearance(np.array([0.5]), np.array([-1.0])) >= 0.6
            assert max(solid.textures) < look.textures.shape[1]
            corners = np.array([[x, -1, z] for x in (-1, 1) for z in (-1, 1)]) * solid.half
            x, y, z = transform(solid.world_from_solid, corners).T
            if solid.kind == "box":
                assert np.all((np.abs(x) <= 2 + 1e-9) & (np.abs(z) <= 2.5 + 1e-9) & (y >= -2.4))
            others = [other for other in scene.solids if other is not solid]
            assert all(np.all(other.clearance(x, z) > 0) for other in others)


def test_tiles_have_their_metric_size_in_the_picture() -> None:
    camera = Camera(40.0, 40.0, 40.0, 30.0, 81, 61)
    scene = RoomScene((20.0, 10.0, 8.0), (), (FacePatch(5, (-9.0, 9.0), (-9.0, -1.0), 6),))
    eye = np.array([0.0, -5.0, 2.0])
    tiles = Texture(0.8, 0.8, 0.8, joint=0.2, cell_u=0.5, cell_v=0.5, joint_width=0.1)
    table = np.array([Texture(0.5, 0.5, 0.5)] * 6 + [tiles], dtype=np.float32).T.copy()
    light = RoomLight((0.0, -9.0, 0.0), 0.0, 0.0, 1.0, (0.0, 0.0, 0.0))
    hits = cast_rays(scene, camera, pose_from_angles(0, 0, 0, eye))
    row = shade(RoomLook(table, light), scene, hits, eye)[0, 35]
    assert abs(hits.depth_z[35, 40] - 2) < 1e-12
    # A cell of 0.5 m is 10 px wide at 2 m with 40 px; its joint of 0.1 m covers one pixel and half of two.
    expected = np.full(81, 0.8)
    expected[0::10] = 0.8 * 0.2
    expected[1::10] = expected[9::10] = 0.8 * (0.2 + 1) / 2
    np.testing.assert_allclose(row, expected, atol=1e-4)


def test_two_views_of_a_room_see_the_same_surfaces() -> None:
    rooms = Rooms(RoomSettings(rooms=10, views=3))
    agreeing = compared = 0
    for index in range(len(rooms)):
        first = rooms.frame(index)
        for partner in rooms.partners(index):
            agreed = agreement(first, rooms.frame(partner))
            agreeing += int(agreed.sum())
            compared += agreed.size
    assert compared > 50_000
    assert agreeing / compared > 0.95


def agreement(first: Frame, second: Frame) -> np.ndarray:
    """For each point of ``first`` that ``second`` sees away from depth edges: whether their depths agree."""
    assert first.labels is not None
    pixels, depth_z = first.labels.read(first.camera)
    second_from_first = inverse(posed(second)) @ posed(first)
    points = transform(second_from_first, first.camera.unproject(pixels, depth_z))
    where = second.camera.project(points)
    inside = second.camera.contains(where, margin=1.5)
    columns, rows = np.rint(where[inside]).astype(int).T
    grid = depth_map(second)
    shifts = [(0, 1), (0, -1), (1, 1), (1, -1)]
    steps = np.max([np.abs(np.roll(grid, by, axis) / grid - 1) for axis, by in shifts], axis=0)
    seen, z = grid[rows, columns], points[inside][:, 2]
    around = where[inside] - np.stack([columns, rows], axis=-1)
    slope_u = (grid[rows, columns + 1] - grid[rows, columns - 1]) / 2
    slope_v = (grid[rows + 1, columns] - grid[rows - 1, columns]) / 2
    seen_there = seen + slope_u * around[:, 0] + slope_v * around[:, 1]
    visible = (steps[rows, columns] < 0.05) & (z < seen * 1.05)
    return np.abs(z / seen_there - 1)[visible] < 0.01


def test_same_bytes_in_any_order_from_any_instance_and_process() -> None:
    forward = [digest(SMALL, index) for index in range(18)]
    backward = [digest(replace(SMALL), index) for index in reversed(range(18))]
    assert forward == backward[::-1]
    assert len(set(forward)) == 18
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(digest, SMALL, 7).result() == forward[7]


def test_another_seed_or_first_room_is_another_picture() -> None:
    assert digest(SMALL, 0) != digest(replace(SMALL, seed=1), 0)
    assert digest(SMALL, 0) != digest(replace(SMALL, first=6), 0)
    depths = [depth_map(Rooms(replace(SMALL, seed=seed)).frame(0)) for seed in (0, 1)]
    assert np.mean(depths[0] == depths[1]) < 0.01


def test_first_shifts_the_numbering_so_that_held_out_rooms_are_disjoint() -> None:
    whole, held = Rooms(SMALL), Rooms(replace(SMALL, first=4, rooms=2))
    assert held.frame(3).name == whole.frame(15).name
    assert held.frame(3).name.endswith("room-000005/view-0")
    np.testing.assert_array_equal(held.frame(3).picture.read(), whole.frame(15).picture.read())
    trained = Rooms(replace(SMALL, rooms=4))
    names = [{source.frame(i).sequence for i in range(len(source))} for source in (trained, held)]
    assert not names[0] & names[1]


@pytest.mark.parametrize("settings", [{}, {"fov": (60, 60), "principal_shift": 0}, {"first": 7}])
def test_an_overview_is_what_the_frames_say(settings: dict[str, Any]) -> None:
    source = Rooms(RoomSettings(rooms=4, views=3, **settings))
    frames = [source.frame(index) for index in range(len(source))]
    known = source.overview()
    names = known.sequences.read()
    assert [names[number] for number in known.sequences.numbers] == [frame.sequence for frame in frames]
    assert known.licenses.counts() == {LICENSE: 12}
    assert known.attributions.counts() == {"": 12}
    same = [[one.camera == other.camera for other in frames] for one in frames]
    assert np.array_equal(known.cameras[:, None] == known.cameras, same)
    assert known.posed.all()
    assert known.labelled.all()
    assert not known.objects.any()
    assert [picture.name for picture in source.pictures(range(12))] == [frame.picture.name for frame in frames]


def test_a_frame_says_what_it_is() -> None:
    rooms = Rooms(SMALL)
    assert len(rooms) == 18
    frame = rooms.frame(4)
    assert frame.name == f"{frame.sequence}/view-1"
    assert frame.sequence.endswith("/room-000001")
    assert frame.license == LICENSE
    assert Rooms(replace(SMALL, first=1, rooms=3)).frame(1).name == frame.name
    assert Rooms(replace(SMALL, seed=9)).frame(4).name != frame.name
    picture = frame.picture.read()
    assert picture.shape == (frame.camera.height, frame.camera.width, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(checked_pose(posed(frame)), posed(frame))
    for index in (-1, 18):
        with pytest.raises(IndexError):
            rooms.frame(index)


def test_partners_are_the_other_views_of_the_room() -> None:
    rooms = Rooms(SMALL)
    assert [list(rooms.partners(index)) for index in (0, 4, 17)] == [[1, 2], [3, 5], [15, 16]]
    assert list(Rooms(replace(SMALL, views=1)).partners(2)) == []


def test_what_is_read_may_be_painted_on() -> None:
    frame = Rooms(SMALL).frame(0)
    before = digest(SMALL, 0)
    frame.picture.read()[:] = 0
    assert frame.labels is not None
    frame.labels.read(frame.camera)[1][:] = 0
    assert digest(SMALL, 0) == before


def test_pickled_frames_and_sources_are_small_and_the_same() -> None:
    rooms = Rooms(SMALL)
    frame = rooms.frame(5)
    data = pickle.dumps((rooms, frame))
    assert len(data) < 4000
    again, copy = pickle.loads(data)
    np.testing.assert_array_equal(copy.picture.read(), frame.picture.read())
    np.testing.assert_array_equal(depth_map(again.frame(5)), depth_map(frame))


def test_views_move_and_turn_within_the_settings() -> None:
    rooms = Rooms(RoomSettings(rooms=40, roll=(0.0, 0.0), pitch=(0.0, 0.0)))
    moved, turned = [], []
    for index in range(0, len(rooms), 4):
        for partner in rooms.partners(index):
            relative = inverse(posed(rooms.frame(index))) @ posed(rooms.frame(partner))
            moved.append(float(np.linalg.norm(relative[:3, 3])))
            turned.append(rotation_angle(relative[:3, :3]))
    assert 0.1 - 1e-9 <= min(moved) < 0.3
    assert 1.2 < max(moved) <= 1.5 + 1e-9
    assert 20 < max(turned) <= 25 + 1e-9


def test_nothing_is_nearer_than_the_clearance() -> None:
    rooms = Rooms(RoomSettings(rooms=40, objects=(20, 20), room_width=(2.2, 4.0), room_depth=(2.2, 4.0)))
    for index in range(len(rooms)):
        frame = rooms.frame(index)
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        assert frame.camera.distance_from_z(pixels, depth_z).min() > 0.3 - 1e-6


def test_no_surface_has_the_colour_of_a_marker() -> None:
    rooms = Rooms(RoomSettings(rooms=60, views=1))
    for index in range(len(rooms)):
        picture = rooms.frame(index).picture.read().astype(int)
        chroma = picture.max(axis=-1) - picture.min(axis=-1)
        assert chroma.max() <= SATURATION * 255 + 1  # a marker's is 160 and more


def test_distances_spread_widely() -> None:
    rooms = Rooms(RoomSettings(rooms=50))
    found = []
    for index in range(len(rooms)):
        frame = rooms.frame(index)
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        found.append(frame.camera.distance_from_z(pixels, depth_z)[::17])
    distances = np.concatenate(found)
    best = max(np.mean(np.maximum(distances / c, c / distances) < 1.25) for c in np.geomspace(0.5, 10, 60))
    assert best < 0.4
    assert np.percentile(distances, 1) < 1
    assert np.percentile(distances, 99) > 8


def test_settings_take_lists_as_yaml_gives_them() -> None:
    assert RoomSettings(fov=[60.0, 60.0]).fov == (60.0, 60.0)  # type: ignore[arg-type]


def test_faults_of_settings_are_reported_together() -> None:
    with pytest.raises(UserErrors) as raised:
        RoomSettings(views=0, seed=-1, room_width=(0.5, 3.0))
    assert [fault.problem.split(":")[0] for fault in raised.value.faults] == ["views", "seed", "room_width"]
    with pytest.raises(UserError, match="fov"):
        RoomSettings(fov=(80.0, 60.0))
    with pytest.raises(UserError, match="noise"):
        RoomSettings(noise=-1.0)


def test_textures_of_the_room_itself_grow_and_nothing_else_changes() -> None:
    def walls(scale: float) -> RoomSettings:
        return replace(BARE, texture_scale=(scale, scale), noise=0, rooms=4)

    usual, large = Rooms(walls(1.0)), Rooms(walls(2.0))
    for index in range(len(usual)):
        frame, grown = usual.frame(index), large.frame(index)
        assert np.array_equal(depth_map(frame), depth_map(grown))
        assert np.array_equal(posed(frame), posed(grown))
    changed = [not np.array_equal(usual.frame(i).picture.read(), large.frame(i).picture.read()) for i in range(8)]
    assert np.mean(changed) > 0.8
    table = np.arange(26, dtype=np.float32).reshape(13, 2) + 1
    look = scale_textures(RoomLook(table, RoomLight((0, -2, 0), 1, 0, 0.5, (0, 0, 0))), 1, 2.0)
    grown_rows = [Texture._fields.index(name) for name in ("cell_u", "cell_v", "joint_width")]
    ratio = look.textures / table
    assert (ratio[grown_rows, 0] == 2).all()
    ratio[grown_rows, 0] = 1
    assert (ratio == 1).all()


def test_a_texture_has_a_size() -> None:
    with pytest.raises(UserErrors, match="texture_scale"):
        RoomSettings(texture_scale=(0.0, 1.0))
