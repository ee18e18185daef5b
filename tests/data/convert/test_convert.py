"""Tests of ``toolkit data convert`` and ``merge``, whatever the format: workers, restarts, shards, faults, links."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.convert_scenes import grey
from tests.support.paths import ROOT
from toolkit.cli.main import main
from toolkit.config.validate import validate
from toolkit.data.convert.base_format import ConvertOptions, ImageMode
from toolkit.data.convert.convert import CHUNK, convert
from toolkit.data.convert.draw_labels import draw_overlay, save_overlay
from toolkit.data.convert.formats import folder
from toolkit.data.convert.parallel.job import ConvertJob, parse_shard
from toolkit.data.convert.parallel.merge import merge
from toolkit.data.convert.registry import format_names, get_format
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.frame import Frame, ImageFile, SparseDepth
from toolkit.data.manifest.manifest import load_manifest
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.system_errors import OutputError

pytestmark = pytest.mark.slow

LENS = Camera(40, 40, 15.5, 11.5, 32, 24)
COUNT = 2 * CHUNK + 3


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain folder of three chunks of pictures, with more points than are wanted."""
    root = tmp_path_factory.mktemp("pristine") / "mine"
    (root / "points").mkdir(parents=True)
    (root / "camera.json").write_text(json.dumps({"intrinsics": LENS.intrinsics, "depth_type": "z"}))
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        grey(root / "images" / f"{index:03}.png", LENS, index)
        rows = np.c_[rng.uniform(0, (31, 23), (60, 2)), rng.uniform(1, 9, 60)]
        np.savetxt(root / "points" / f"{index:03}.txt", rows)
    return root


@pytest.fixture
def source(pristine: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "mine"))


def job(source: Path, dest: str = "out", **changes: object) -> ConvertJob:
    return ConvertJob("folder", source, source.parent / dest, ConvertOptions(points=10), **changes)  # type: ignore[arg-type]


def damage(source: Path, *numbers: int) -> None:
    """Cut pictures short."""
    for number in numbers:
        path = source / "images" / f"{number:03}.png"
        path.write_bytes(path.read_bytes()[:-40])


def mend(source: Path, pristine: Path) -> None:
    shutil.copytree(pristine, source, dirs_exist_ok=True)


def test_any_number_of_workers_and_shards_writes_the_same_bytes(source: Path) -> None:
    alone = convert(job(source)).manifest
    several = convert(job(source, "out2", workers=2)).manifest
    for index in (3, 1, 2):
        shard = convert(job(source, "out3", shard=(index, 3)))
        assert shard.manifest is None
    merged = merge(source.parent / "out3").manifest
    assert alone is not None and several is not None and merged is not None
    assert alone.read_bytes() == several.read_bytes() == merged.read_bytes()
    assert len(load_manifest(alone, decode=True)) == COUNT
    assert "pictures are sound" in validate(alone)


def test_what_was_converted_is_recorded(source: Path) -> None:
    outcome = convert(
        ConvertJob("folder", source, source.parent / "out", ConvertOptions(license="CC0", attribution="me"))
    )
    assert outcome.manifest is not None
    record = json.loads((source.parent / "out" / "conversion.json").read_text())
    assert (record["format"], record["license"], record["pictures"]) == ("folder", "CC0", COUNT)
    row = json.loads(outcome.manifest.read_text().splitlines()[0])
    assert (row["license"], row["attribution"]) == ("CC0", "me")
    assert sorted(path.name for path in (source.parent / "out").iterdir()) == ["conversion.json", "manifest.jsonl"]


def test_a_complete_conversion_is_not_done_again(source: Path) -> None:
    first = convert(job(source))
    assert first.manifest is not None
    before = first.manifest.stat().st_mtime_ns
    again = convert(job(source))
    assert not again.fresh
    assert (again.pictures, first.manifest.stat().st_mtime_ns) == (COUNT, before)
    assert convert(ConvertJob("folder", source, source.parent / "out", ConvertOptions(points=5))).fresh
    assert all(len(json.loads(line)["depth"]) == 5 for line in first.manifest.read_text().splitlines())


@pytest.mark.parametrize("images", ["copy", "link"])
def test_a_full_disk_is_no_fault_of_a_picture(source: Path, monkeypatch: pytest.MonkeyPatch, images: ImageMode) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source / "images" / "000.png"))

    monkeypatch.setattr(shutil, "copyfile", full)
    monkeypatch.setattr(Path, "symlink_to", full)
    made = ConvertJob("folder", source, source.parent / "out", ConvertOptions(images=images), skip_bad=True)
    with pytest.raises(OutputError, match=re.escape(str(source.parent / "out"))):
        convert(made)
    assert not (source.parent / "out" / "manifest.jsonl").exists()


def test_faults_are_counted_and_the_rest_is_kept(source: Path, pristine: Path) -> None:
    damage(source, 1, CHUNK + 1)
    with pytest.raises(UserErrors, match=f"no manifest was written; {COUNT - 2} pictures are converted") as caught:
        convert(job(source, workers=2))
    assert [Path(fault.problem.split(":")[0]).name for fault in caught.value.faults] == [
        "001.png",
        f"{CHUNK + 1:03}.png",
    ]
    dest = source.parent / "out"
    assert not (dest / "manifest.jsonl").exists()
    assert (dest / "faults.txt").read_text().count("the picture cannot be read") == 2
    kept = {path: path.stat().st_mtime_ns for path in dest.glob(".parts/*/*.json")}
    assert len(kept) == 3
    mend(source, pristine)
    assert convert(job(source)).pictures == COUNT
    assert not (dest / "faults.txt").exists()


def test_only_what_was_faulty_is_done_again(source: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(source, 1)
    with pytest.raises(UserErrors):
        convert(job(source))
    mend(source, pristine)
    done = _converted_items(monkeypatch)
    convert(job(source))
    assert done == [f"{index:03}" for index in range(CHUNK)]


def _converted_items(monkeypatch: pytest.MonkeyPatch, stop_at: str = "") -> list[str]:
    """The names of items as they are converted; the one named is never reached."""
    done: list[str] = []
    genuine = folder.convert

    def watched(item: folder.FolderPicture, workspace: Workspace) -> object:
        if item.name == stop_at:
            raise KeyboardInterrupt
        done.append(item.name)
        return genuine(item, workspace)

    monkeypatch.setattr(folder, "convert", watched)
    return done


def test_an_interrupted_conversion_goes_on(source: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        _converted_items(patched, f"{2 * CHUNK + 1:03}")
        with pytest.raises(KeyboardInterrupt):
            convert(job(source))
    assert not (source.parent / "out" / "manifest.jsonl").exists()
    with pytest.MonkeyPatch.context() as patched:
        done = _converted_items(patched)
        convert(job(source))
        assert done == [f"{index:03}" for index in range(2 * CHUNK, COUNT)]
    whole = convert(job(source, "fresh")).manifest
    assert whole is not None
    assert (source.parent / "out" / "manifest.jsonl").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_conversion_leaves_no_worker_behind(number: signal.Signals, source: Path) -> None:
    dest = source.parent / "out"
    words = ["-m", "toolkit", "data", "convert", "folder", str(source), str(dest), "--points", "10", "--workers", "2"]
    running = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    while not list(dest.glob(".parts/*/*.json")) and running.poll() is None:
        time.sleep(0.005)
    if number == signal.SIGKILL:
        running.kill()
    else:
        os.killpg(running.pid, number)  # as schedulers do
    _, err = running.communicate(timeout=60)  # the workers, too, have stderr open until they end
    assert running.returncode in (0, -9, 143)
    assert err.count("\n") == (number != signal.SIGKILL), err
    whole = convert(job(source, "fresh")).manifest
    assert whole is not None and convert(job(source)).manifest == dest / "manifest.jsonl"
    assert (dest / "manifest.jsonl").read_bytes() == whole.read_bytes()
    assert not [path for path in dest.rglob(".*") if path.name.endswith(".tmp")]


def test_a_part_cut_short_is_done_again(source: Path) -> None:
    damage(source, 1)
    with pytest.raises(UserErrors):
        convert(job(source))
    for part in (source.parent / "out").glob(".parts/*/*.json"):
        part.write_bytes(part.read_bytes()[:50])
    assert convert(job(source, skip_bad=True)).pictures == COUNT - 1


def test_a_failed_conversion_leaves_a_complete_manifest_alone(source: Path) -> None:
    complete = convert(job(source)).manifest
    assert complete is not None
    before = complete.read_bytes()
    damage(source, 4)
    with pytest.raises(UserErrors):
        convert(ConvertJob("folder", source, source.parent / "out", ConvertOptions(points=20)))
    assert complete.read_bytes() == before


def test_bad_pictures_are_left_out_on_request_and_told(source: Path, pristine: Path) -> None:
    damage(source, 1, 2)
    outcome = convert(job(source, skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (COUNT - 2, 2)
    assert outcome.manifest is not None
    assert len(load_manifest(outcome.manifest)) == COUNT - 2
    assert "001.png" in (source.parent / "out" / "faults.txt").read_text()
    mend(source, pristine)
    assert convert(job(source)).pictures == COUNT


def test_shards_that_are_missing_are_named(source: Path) -> None:
    convert(job(source, shard=(2, 3)))
    with pytest.raises(UserError, match="2 of 3 chunks") as caught:
        merge(source.parent / "out")
    assert caught.value.cause == "of 3 shards, these are not finished: 1, 3"
    assert not (source.parent / "out" / "manifest.jsonl").exists()


def test_faults_of_shards_are_told_when_they_run_and_when_they_are_merged(source: Path) -> None:
    damage(source, 1)
    with pytest.raises(UserErrors, match="shard 1/2"):
        convert(job(source, shard=(1, 2)))
    convert(job(source, shard=(2, 2)))
    with pytest.raises(UserErrors, match="1 fault"):
        merge(source.parent / "out")
    assert merge(source.parent / "out", skip_bad=True).pictures == COUNT - 1


def test_nothing_to_merge_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no conversion is under way"):
        merge(tmp_path)


def test_limit_takes_the_first(source: Path) -> None:
    assert convert(job(source, limit=5)).pictures == 5
    manifest = load_manifest(source.parent / "out" / "manifest.jsonl")
    assert [Path(frame.name).stem for frame in manifest.frames] == ["000", "001", "002", "003", "004"]


@pytest.mark.parametrize("images", ["reference", "link", "copy"])
def test_source_and_dest_move_together(source: Path, tmp_path: Path, images: str) -> None:
    convert(ConvertJob("folder", source, source.parent / "out", ConvertOptions(images=images), limit=3))  # type: ignore[arg-type]
    new = tmp_path / "elsewhere"
    new.mkdir()
    for name in ("mine", "out"):
        (tmp_path / name).rename(new / name)
    assert len(load_manifest(new / "out" / "manifest.jsonl", decode=True)) == 3


@pytest.mark.parametrize("images", ["reference", "link", "copy"])
def test_a_dest_far_from_source_moves_alone(source: Path, tmp_path: Path, images: str) -> None:
    dest = tmp_path / "a" / "b"
    far = Path(shutil.move(source, tmp_path / "far" / "mine")) if (tmp_path / "far").mkdir() is None else source
    convert(ConvertJob("folder", far, dest, ConvertOptions(images=images), limit=3))  # type: ignore[arg-type]
    dest.rename(tmp_path / "moved")
    assert len(load_manifest(tmp_path / "moved" / "manifest.jsonl", decode=True)) == 3
    if images == "copy":
        shutil.rmtree(far)
        assert len(load_manifest(tmp_path / "moved" / "manifest.jsonl", decode=True)) == 3


def test_a_bug_names_the_picture_and_keeps_its_traceback(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "convert", lambda item, workspace: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        convert(job(source))
    assert "000" in caught.value.__notes__[0]


def test_unknown_formats_get_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        convert(ConvertJob("kiti", tmp_path, tmp_path / "out"))
    assert "did you mean kitti" in caught.value.remedy


@pytest.mark.parametrize("name", format_names())
def test_every_format_says_what_it_needs_and_refuses_an_empty_folder(name: str, tmp_path: Path) -> None:
    info = get_format(name).INFO
    assert info.title in info.to_text()
    with pytest.raises(UserError) as caught:
        convert(ConvertJob(name, tmp_path, tmp_path / "out"))
    assert info.own or info.home in caught.value.remedy
    assert info.layout.strip().splitlines()[0] in caught.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/3/5", "-1/3"])
def test_shards_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--shard"):
        parse_shard(text)
    assert parse_shard("3/3") == (3, 3)


def test_the_overlay_shows_labels_where_they_are_red_near_and_blue_far(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "black.png")
    labels = SparseDepth(np.array([[5.0, 8.0], [30.0, 20.0]]), np.array([1.0, 20.0]), "z")
    frame = Frame(ImageFile(tmp_path / "black.png"), Camera(40, 40, 19.5, 14.5, 40, 30), labels)
    drawn = draw_overlay(frame)[-30:].astype(int)
    assert drawn[8, 5, 0] > drawn[8, 5, 2] + 50
    assert drawn[20, 30, 2] > drawn[20, 30, 0] + 20
    assert not drawn[:, 12:24].any()
    wide = draw_overlay(frame, 80)[-60:].astype(int)
    assert wide[17, 11, 0] > wide[17, 11, 2] + 50


def test_the_sheet_of_overlays_is_made_of_pictures_evenly_apart(source: Path) -> None:
    outcome = convert(job(source))
    assert outcome.manifest is not None
    path = save_overlay(outcome.manifest, outcome.pictures, count=4)
    assert path == outcome.manifest.with_name("overlay.png")
    assert Image.open(path).size == (2 * 960, 2 * (720 + 26))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolkit", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return call


def test_the_command_line(source: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    damage(source, 1)
    dest = source.parent / "out"
    words = ("data", "convert", "folder", source, dest, "--workers", 1)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "001.png" in err
    assert "--skip-bad" in err
    code, out, err = run(*words, "--skip-bad")
    assert code == 0
    assert out == f"wrote {dest}/manifest.jsonl: {COUNT - 1} pictures\n"
    assert "1 fault" in err
    assert (dest / "overlay.png").is_file()
    assert run("data", "validate", dest / "manifest.jsonl")[0] == 0


def test_the_command_line_in_shards(source: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    dest = source.parent / "out"
    for index in (1, 2):
        code, out, _ = run("data", "convert", "folder", source, dest, "--workers", 1, "--shard", f"{index}/2")
        assert code == 0
        assert f"toolkit data merge {dest}" in out
    code, out, _ = run("data", "merge", dest)
    assert (code, out) == (0, f"wrote {dest}/manifest.jsonl: {COUNT} pictures\n")


def test_formats_are_listed(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("data", "formats")
    assert code == 0
    assert re.search(r"^kitti +KITTI object$", out, re.MULTILINE)
    assert "training/velodyne" in run("data", "formats", "kitti")[1]


def test_torch_is_not_needed(source: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from toolkit.data.convert.convert import convert; "
        "from toolkit.data.convert.parallel.job import ConvertJob; "
        f"convert(ConvertJob('folder', Path({str(source)!r}), Path({str(source.parent / 'out')!r}), limit=2)); "
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False).returncode == 0
