"""``toolkit data stats``, ``split``, ``mix`` and ``validate``: what they say of known data, and of wrong input."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.training import TINY
from tests.support.walls import DEPTH, HEIGHT, WIDTH, line, write_manifest
from toolkit.cli.data import collect_statistics
from toolkit.cli.main import main
from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.config.validate import validate
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.manifest.split import split_manifest
from toolkit.data.sources.source import split
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canvas
from toolkit.training.dry_run.mixture_summary import summarise_mixture
from toolkit.utils.plotting import sparkline

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``toolkit data`` in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolkit", "data", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """Ten pictures at depths of 1 to 10 m: four of a, three of b, two of c, one of no sequence."""
    names = [*"aaaabbbcc", None]
    rows = [
        line(index, sequence=name, depth=[index + 1.0] * 35, license=None if index else "MIT", attribution="A. Body")
        for index, name in enumerate(names)
    ]
    del rows[3]["world_from_camera"]
    return write_manifest(tmp_path, rows)


def test_stats_of_a_manifest(run: Run, steps: Path) -> None:
    code, out, err = run("stats", steps, "--json")
    assert code == 0, err
    (found,) = json.loads(out)
    counts = {key: found[key] for key in ("pictures", "known", "labelled", "posed", "sequences", "alone", "cameras")}
    assert counts == {
        "pictures": 10, "known": 10, "labelled": 10, "posed": 9, "sequences": 3, "alone": 1, "cameras": 1,
    }  # fmt: skip
    assert found["licenses"] == {"MIT": 1, "": 9} and found["attributions"] == {"A. Body": 10}
    across = 2 * np.degrees(np.arctan(WIDTH / 2 / 100))
    assert found["fields_of_view"]["across"]["median"] == pytest.approx(across)
    depths = found["depths"]
    assert (depths["labels"], depths["pictures"], sum(depths["counts"])) == (350, 10, 350)
    assert [depths["percentiles"][share] for share in ("0", "50", "100")] == [1, 5.5, 10]
    assert depths["counts"][0] == 35 and depths["counts"][-1] == 35
    printed = run("stats", steps)[1]
    for said in ("10 pictures", "sequences:    3; 1 pictures state none", "not stated (9), MIT (1)", "A. Body (10)"):
        assert said in printed
    assert "50 %: 5.5" in printed and "1 ▁" not in printed.splitlines()[0]


def test_depth_is_read_of_some_pictures_and_all_are_counted(steps: Path) -> None:
    (found,) = collect_statistics(str(steps), [], pictures=3)
    assert (found.pictures, found.known, found.posed) == (10, 10, 9)
    assert found.depths is not None and (found.depths.pictures, found.depths.labels) == (3, 105)


def test_stats_of_a_recipe_go_source_by_source(run: Run, quick: Path, steps: Path) -> None:
    words = (f"sources.walls={{path: {steps}}}", "--pictures", 5)
    code, out, err = run("stats", quick, *words)
    assert code == 0, err
    assert out.startswith("rooms: 100 pictures\n  of 5 of them, drawn at random:") and "\n\nwalls: 10 pictures" in out


def test_one_depth_for_all_can_be_drawn(run: Run, manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code, out, err = run("stats", manifest, "--output", tmp_path / "deep" / "s.png")
    assert code == 0, err
    assert f"wrote {tmp_path / 'deep' / 's.png'}" in out
    picture = np.asarray(Image.open(tmp_path / "deep" / "s.png").convert("RGB"))
    assert picture.shape[1] > 800 and (picture == (0x1F, 0x6F, 0xB4)).all(axis=-1).sum() > 100, "bars are blue"
    (found,) = collect_statistics(str(manifest), [], 10)
    assert found.depths is not None and set(found.depths.percentiles.values()) == {DEPTH}


def test_a_picture_needs_matplotlib_and_an_ending(
    run: Run, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("stats", manifest, "--output", tmp_path / "s.jpg")
    assert code == 2 and "the picture is a PNG" in err
    monkeypatch.setattr("toolkit.data.statistics_plot.can_draw", lambda: False)
    code, _, err = run("stats", manifest, "--output", tmp_path / "s.png")
    assert code == 2 and "pip install '3dqa-toolkit[plots]'" in err


def test_stats_of_what_is_not_there(run: Run, tmp_path: Path) -> None:
    code, _, err = run("stats", tmp_path / "none.jsonl")
    assert code == 2 and "there is no such manifest" in err
    code, _, err = run("stats", "no_such_recipe")
    assert code == 2 and "no_such_recipe" in err


def test_split_keeps_sequences_whole_and_paths_right(run: Run, manifest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "far" / "parts"
    code, out, err = run("split", manifest, "--share", 0.5, "--output", folder)
    assert code == 0, err
    assert f"wrote {folder / 'held_out.jsonl'}: 4 pictures; sequences: 1" in out
    whole = load_manifest(manifest)
    for part, name in zip(split(whole, 0.5, 0), ("train", "held_out"), strict=True):
        written = load_manifest(folder / f"{name}.jsonl", decode=True)
        assert [frame.sequence for frame in written.frames] == [part.frame(i).sequence for i in range(len(part))]
        for index, frame in enumerate(written.frames):
            assert Path(frame.name).resolve() == Path(part.frame(index).name).resolve()
            assert frame.camera == part.frame(index).camera
            np.testing.assert_array_equal(frame.world_from_camera, part.frame(index).world_from_camera)


def test_split_through_a_link_and_with_depth_maps(manifest: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "d.png"), np.full((HEIGHT, WIDTH), 1500, np.uint16))
    rows = [json.loads(text) for text in manifest.read_text().splitlines()]
    rows[0] = line(0, pixel_coords=None, depth=None, depth_type=None, depth_map="d.png", depth_scale=0.001)
    rows[1]["image"] = str(tmp_path / "1.png")
    manifest.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    split_manifest(manifest, 0.5, tmp_path / "link" / "parts")
    written = [json.loads(text) for name in ("train", "held_out")
               for text in (tmp_path / "link" / "parts" / f"{name}.jsonl").read_text().splitlines()]  # fmt: skip
    mapped = next(row for row in written if "depth_map" in row)
    assert "depth_type" not in mapped, "what a line does not say it still does not say"
    assert mapped["depth_map"] == "../../../d.png"
    assert [row["image"] for row in written if Path(row["image"]).is_absolute()] == [str(tmp_path / "1.png")]


def test_split_without_sequences_wants_to_be_told(run: Run, steps: Path, tmp_path: Path) -> None:
    code, _, err = run("split", steps, "--output", tmp_path / "p")
    assert code == 2 and "1 of 10 pictures state no sequence" in err and "--by-picture" in err
    assert not list((tmp_path / "p").glob("*.jsonl"))
    code, _, err = run("split", steps, "--output", tmp_path / "p", "--by-picture")
    assert code == 0, err
    train, held = (load_manifest(tmp_path / "p" / f"{name}.jsonl") for name in ("train", "held_out"))
    names = [{frame.sequence for frame in side.frames} - {""} for side in (train, held)]
    assert len(train) + len(held) == 10 and not names[0] & names[1], "sequences stay whole all the same"


def test_a_single_sequence_is_never_cut(run: Run, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index, sequence="walk") for index in range(6)])
    code, _, err = run("split", path, "--output", tmp_path / "p", "--by-picture")
    assert code == 2 and "no whole sequence can be held out at a share of 0.2" in err


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_a_share_must_split(run: Run, manifest: Path, tmp_path: Path, share: float) -> None:
    code, _, err = run("split", manifest, "--output", tmp_path / "p", "--share", share)
    assert code == 2 and "splits nothing" in err


def test_split_overwrites_nothing(run: Run, manifest: Path) -> None:
    shutil.copy(manifest, manifest.with_name("train.jsonl"))
    code, _, err = run("split", manifest.with_name("train.jsonl"), "--output", manifest.parent, "--share", 0.5)
    assert code == 2 and "the same command reads this file" in err
    code, _, err = run("split", manifest, "--output", manifest.parent, "--share", 0.5)
    assert code == 2 and "train.jsonl: this file is there already" in err


def two_sources(folder: Path, sampling: str) -> Path:
    """Eight walls at 2.5 m (weight 1), four at 5 m (weight 3); none is held out."""
    for name, count, depth in (("near", 8, 2.5), ("far", 4, 5.0)):
        (folder / name).mkdir(exist_ok=True)
        write_manifest(folder / name, [line(index, depth=[depth] * 35) for index in range(count)])
    path = folder / "recipe.yaml"
    path.write_text(
        TINY.split("tasks:")[0]
        + f"""
tasks: {{principal_axis_distance: 3, relative_depth: 1}}
sampling: {sampling}
sources:
  near: {{path: near/manifest.jsonl, held_out: 0}}
  far: {{path: far/manifest.jsonl, weight: 3, held_out: 0}}
trainer: {{steps: 100, batch_size: 4}}
"""
    )
    return path


NEAR = {"given": 1 / 4, "size": 8 / (8 + 3 * 4), "uniform": 1 / 2}


@pytest.mark.parametrize("sampling", sorted(NEAR))
def test_mix_says_what_training_draws(tmp_path: Path, sampling: str) -> None:
    train = make_plan(load_recipe(two_sources(tmp_path, sampling), ["tasks={principal_axis_distance: 1}"]),
                      Canvas(square=32)).train  # fmt: skip
    streams = {stream.source: stream for stream in summarise_mixture(train, 5, processes=2)}
    assert streams["near"].share == pytest.approx(NEAR[sampling])
    assert streams["far"].samples == pytest.approx(2 * 400 * (1 - NEAR[sampling]))
    assert streams["far"].epochs == pytest.approx(2 * 400 * (1 - NEAR[sampling]) / 4)
    assert [streams[name].spread.median for name in ("near", "far")] == [2.5, 5.0]  # type: ignore[union-attr]
    drawn = Counter(train[index].source for index in range(400))
    assert abs(drawn["near"] / 400 - NEAR[sampling]) < 4 * np.sqrt(0.25 / 400)


def test_mix_prints_and_gives_json(run: Run, tmp_path: Path) -> None:
    recipe = two_sources(tmp_path, "given")
    words = (recipe, "tasks={principal_axis_distance: 3, camera_pose: 1}", "--count", 2)
    code, out, err = run("mix", *words, "--json")
    assert code == 0, err
    streams = {(each["task"], each["source"]): each for each in json.loads(out)}
    assert len(streams) == 4 and sum(each["share"] for each in streams.values()) == pytest.approx(1)
    assert streams["principal_axis_distance", "far"]["samples"] == pytest.approx(400 * 0.75 * 0.75)
    assert streams["principal_axis_distance", "far"]["spread"]["of"] == "answers [m]"
    printed = run("mix", *words)[1]
    assert "56.2%" in printed and "near: 100 samples of 8 pictures, each about 12.5 times" in printed
    assert "█" in printed and "(answers [m])" in printed


def test_mix_goes_through_the_phases_of_a_curriculum(run: Run, quick: Path) -> None:
    phases = "[{share: 3, tasks: {metric_depth: 1}, patch_words: 0.5}, {share: 1, tasks: {two_point_distance: 1}}]"
    code, out, err = run("mix", quick, f"curriculum={phases}")
    assert code == 0, err
    shares = {line.split()[1]: line.split()[2] for line in out.splitlines() if line.startswith("rooms ")}
    assert shares == {"metric_depth": "75.0%", "two_point_distance": "25.0%"}


def test_mix_of_what_cannot_be_trained(run: Run, tmp_path: Path) -> None:
    recipe = two_sources(tmp_path, "given")
    assert "sampling" in run("mix", recipe, "sampling=sizes")[2]
    code, _, err = run("mix", recipe, "tasks={no_such: 1}")
    assert code == 2 and "no_such" in err


def test_sparkline() -> None:
    assert sparkline((0, 1, 4, 8)) == "·▁▄█"
    assert sparkline(()) == ""


def test_validate_tells_copies_depth_ranges_and_empty_maps(steps: Path) -> None:
    folder = steps.parent
    shutil.copy(folder / "0.png", folder / "copy.png")
    cv2.imwrite(str(folder / "empty.png"), np.zeros((HEIGHT, WIDTH), np.uint16))
    empty = line(0, image="1.png", pixel_coords=None, depth=None, depth_map="empty.png", depth_scale=0.001)
    with steps.open("a") as file:
        file.write(json.dumps(line(0, image="copy.png")) + "\n" + json.dumps(empty) + "\n")
    found = validate(steps).splitlines()
    assert found[0].startswith(f"{steps}: 12 pictures are sound; 11 with poses, 4 sequences")
    assert found[1:] == [
        "depth_z: 1 to 10 m",
        f"warning: 1 depth maps hold no valid depth: {folder / '1.png'}",
        f"warning: 2 pictures are copies of others: {folder / 'copy.png'}, {folder / '1.png'}",
    ]


def test_validate_of_sound_data_warns_of_nothing(manifest: Path) -> None:
    assert validate(manifest).splitlines()[1:] == [f"depth_z: {DEPTH} to {DEPTH} m"]


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_validate_warns_of_points_that_look_like_shares(steps: Path) -> None:
    """A line with one point may be right; a whole manifest of points within the first pixel is not."""
    shares = [line(0, image=f"{index}.png", pixel_coords=[[0.3, index / 9]], depth=[2]) for index in range(5)]
    path = steps.parent / "shares.jsonl"
    assert "multiply u by the width" in validate(written(path, *shares))
    corners = [line(0, image=f"{index}.png", pixel_coords=[[index % 2, 1]], depth=[2]) for index in range(5)]
    assert "multiply u" not in validate(written(path, *corners))
    assert "multiply u" not in validate(
        written(path, *shares, line(0, image="5.png", pixel_coords=[[9, 9]], depth=[2]))
    )


@pytest.mark.parametrize("orientation", [1, 3])
def test_validate_says_which_turns_no_size_shows(steps: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    with Image.open(steps.parent / "0.png") as picture:
        picture.save(steps.parent / "turned.png", exif=exif)
    found = validate(written(steps.parent / "turned.jsonl", line(0, image="turned.png")))
    assert ("1 pictures have an EXIF orientation that no size shows" in found) == (orientation == 3)


@pytest.mark.parametrize(("metres", "warned"), [(2, False), (2000, True), (0.002, True)])
def test_validate_warns_of_unlikely_depths(steps: Path, metres: float, warned: bool) -> None:
    found = validate(written(steps.parent / "far.jsonl", line(0, pixel_coords=[[5, 5]], depth=[metres])))
    assert ("these depths are unlikely" in found) == warned


@pytest.mark.parametrize(("name", "scale"), [("d.png", 5000), ("d.npy", 256), ("d.npy", 1000)])
def test_validate_refuses_inverse_scales(steps: Path, name: str, scale: float) -> None:
    stored = np.full((HEIGHT, WIDTH), 5000, np.uint16)
    path = steps.parent / name
    np.save(path, stored) if path.suffix == ".npy" else cv2.imwrite(str(path), stored)
    row = line(0, pixel_coords=None, depth=None, depth_map=name, depth_scale=scale)
    with pytest.raises(UserError) as caught:
        validate(written(steps.parent / "inverse.jsonl", row))
    assert f"1/{scale} = {1 / scale:g} if a metre has {scale} units" in str(caught.value)


def test_unreadable_manifest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such manifest"):
        split_manifest(tmp_path / "none.jsonl", 0.2, tmp_path / "p")
    assert os.listdir(tmp_path) in ([], ["p"])
