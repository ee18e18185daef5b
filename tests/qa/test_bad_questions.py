"""``toolkit ask`` with everything that users give it: an answer about the right pixels, or a clear error and exit 2."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from tests.support import picture_scenes as scenes
from tests.support.bad_questions import ALL, ASK, ASKED_CLOUDS, CLOUDS, FOCAL, GOOD_CAMERA, MODEL, POSE, QUESTION, RED
from tests.support.command import Run
from tests.support.odd_pictures import DOUBTS, GOOD, TAGS
from tests.support.paths import ROOT
from tests.support.training import TINY
from toolkit.cli.main import main
from toolkit.cli.options import print_json
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.inference.camera_source import CameraFlags, camera_of
from toolkit.inference.open_picture import open_picture
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.predictor import Reply
from toolkit.training.train import train

pytestmark = pytest.mark.slow

Ended = tuple[int, str, str]
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that was trained on several tasks."""
    home = tmp_path_factory.mktemp("asked")
    (home / "quick.yaml").write_text(TINY)
    tasks = "tasks={metric_depth: 1, relative_depth: 1, two_point_distance: 1, camera_pose: 1, travel_time: 1}"
    train(load_recipe(home / "quick.yaml", [tasks, "trainer.steps=2", "evaluation.samples=0"]), home / "run")
    return home / "run"


@pytest.fixture(autouse=True)
def _silent_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checkpoint say nothing of how good it is: the warnings here are those about pictures."""
    monkeypatch.setattr("toolkit.inference.asker.caveats", lambda *_: {})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to ask from, which holds one picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    scenes.saved()(tmp_path / "a.png")
    return tmp_path


@pytest.fixture
def run(here: Path, run: Run) -> Run:
    """Run a command in this process, from the folder ``here``. Warnings of Pillow, NumPy and the toolkit are errors."""

    def call(*words: object) -> Ended:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", module="PIL|toolkit|numpy")
            return run(*words)

    return call


loaded = cache(load_checkpoint)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the model answer 2.42 m at once, without computing anything."""
    monkeypatch.setattr("toolkit.modeling.checkpoint.load_checkpoint", loaded)

    def generate(vlm: object, prompts: Sequence[str], *_: object, **__: object) -> list[Reply]:
        return [Reply("2.42 m") for _ in prompts]

    monkeypatch.setattr("toolkit.modeling.vlm.vlm_predictor.generate", generate)


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def check_refused(ended: Ended, problem: str, hint: str) -> None:
    code, out, err = ended
    assert (code, out) == (2, ""), err
    assert "Traceback" not in err and "Warning" not in err
    first, *rest = err.rstrip("\n").split("\n")
    assert re.fullmatch(rf"error: .*{re.escape(problem)}.*", first), err
    assert any(line.startswith(("  because: ", "  try:     ")) for line in rest), err
    assert hint in "\n".join(rest), err
    assert not any(line.endswith((" ", ":", "None")) for line in err.splitlines()), err


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_be_asked_is_refused_before_any_model_is_looked_for(
    run: Run, here: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pillow_heif", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, module, None)  # as if they were not installed
    bad = ALL[name]
    bad.write(here)
    before = files(here)
    for more in ((), ("--json",)):
        check_refused(run("ask", *bad.words, *more), bad.problem, bad.hint)
    assert files(here) == before


@pytest.mark.parametrize("name", MODEL)
def test_what_a_model_cannot_be_asked(run: Run, here: Path, folder: Path, name: str) -> None:
    bad = MODEL[name]
    bad.write(here)
    before = files(here)
    check_refused(run("ask", *bad.words, "--model", folder, "--json"), bad.problem, bad.hint)
    assert files(here) == before


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_that_cannot_be_made(run: Run, here: Path, name: str) -> None:
    bad = CLOUDS[name]
    bad.write(here)
    before = files(here)
    check_refused(run("cloud", *bad.words), bad.problem, bad.hint)
    assert files(here) == before


@pytest.mark.parametrize("name", ASKED_CLOUDS)
def test_clouds_that_a_model_cannot_give(
    run: Run, here: Path, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "toolkit.modeling.vlm.vlm_predictor.generate", lambda _, prompts, *__, **___: [Reply("?")] * len(prompts)
    )
    bad = ASKED_CLOUDS[name]
    before = files(here)
    check_refused(run("cloud", *bad.words, "--model", folder), bad.problem, bad.hint)
    assert files(here) == before


def without(*names: str) -> Damage:
    def damage(copy: Path) -> None:
        for name in names:
            (copy / name).unlink()

    return damage


def half(name: str) -> Damage:
    return lambda copy: (copy / name).write_bytes((copy / name).read_bytes()[: (copy / name).stat().st_size // 2])


DAMAGED = {
    "no folder": (shutil.rmtree, "this is no checkpoint", "there is no such folder"),
    "a file": (lambda copy: (shutil.rmtree(copy), copy.touch()), "this is no checkpoint", "it is a file"),
    "empty folder": (
        lambda copy: (shutil.rmtree(copy), copy.mkdir()),
        "this is no checkpoint",
        "no toolkit.json in it",
    ),
    "a stock model": (without("toolkit.json", "recipe.yaml"), "this is no checkpoint", "it is a plain model"),
    "half a contract": (half("toolkit.json"), "toolkit.json: this is not JSON", "copy the checkpoint again"),
    "no recipe": (without("recipe.yaml"), "copy: recipe.yaml is missing", "copy the checkpoint again"),
    "no weights": (without("model.safetensors"), "cannot be loaded", "save the model again"),
    "half the weights": (half("model.safetensors"), "cannot be loaded", "save the model again"),
    "no configuration": (without("config.json"), "there is no config.json", "toolkit train --output"),
    "half a configuration": (half("config.json"), "config.json: this is not JSON", "save the model again"),
    "half a tokeniser": (half("tokenizer.json"), "this is not JSON", "save the model again"),
    "no processor": (without("processor_config.json", "tokenizer.json"), "cannot be loaded", "save the model again"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_checkpoint_that_is_none(run: Run, here: Path, folder: Path, name: str) -> None:
    damage, problem, hint = DAMAGED[name]
    shutil.copytree(folder, here / "copy")
    damage(here / "copy")
    check_refused(run("ask", *ASK, *FOCAL, "--model", "copy"), problem, hint)


def test_an_inner_folder_of_a_checkpoint(run: Run, folder: Path) -> None:
    hint = f"it lies inside one: {folder}"
    check_refused(run("ask", *ASK, *FOCAL, "--model", folder / "training"), "this is no checkpoint", hint)


def seen(run: Run, folder: Path, picture: str, *words: object) -> tuple[np.ndarray, list[str]]:
    """What the model saw of a picture, and the warnings that were printed."""
    code, out, err = run("ask", picture, QUESTION, *RED, *words, "--model", folder, "--save", "seen.png")
    assert (code, out) == (0, "2.42 m\n"), err
    pixels = np.asarray(Image.open("seen.png"))
    return pixels, [line.removeprefix("warning: ") for line in err.splitlines() if line.startswith("warning: ")]


@pytest.mark.usefixtures("says")
@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_picture_reaches_the_model_as_it_is(run: Run, here: Path, folder: Path, name: str) -> None:
    good = GOOD[name]
    if good.needs:
        pytest.importorskip(good.needs)
    good.write(here / name)
    pixels, told = seen(run, folder, name, *FOCAL)
    Image.fromarray(good.shown).save("plain.png")
    expected, _ = seen(run, folder, "plain.png", *FOCAL)
    assert np.abs(pixels.astype(int) - expected).max() <= good.tolerance
    assert len(told) == (1 if good.told else 0), told
    assert good.told in "".join(told)


def test_a_picture_of_20000_pixels(
    run: Run, here: Path, folder: Path, says: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**5)  # so that Pillow itself would refuse this picture
    scenes.blank(20000, 600)(here / "wide.png")
    words = ("wide.png", QUESTION, "--point", "red=9000,300", "--focal", "5500", "--model", folder)
    code, out, err = run("ask", *words)
    assert (code, out) == (0, "2.42 m\n"), err
    assert "warning" not in err
    assert Image.MAX_IMAGE_PIXELS == 10**5


@pytest.mark.usefixtures("says")
@pytest.mark.filterwarnings("ignore:Metadata Warning")  # Pillow warns when it writes such tags
@pytest.mark.parametrize("name", TAGS)
def test_odd_exif_tags(run: Run, here: Path, folder: Path, name: str) -> None:
    tags, source, told = TAGS[name]
    scenes.picture().save(here / "b.jpg", exif=tags)
    code, out, err = run("ask", "b.jpg", QUESTION, *RED, "--model", folder, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["camera"][0]["source"] == source
    assert told in " ".join(answer["warnings"])
    assert bool(told) or not answer["warnings"]


@pytest.mark.usefixtures("says")
@pytest.mark.parametrize("name", DOUBTS)
def test_suspicious_cameras_are_warned_about(run: Run, here: Path, folder: Path, name: str) -> None:
    words, told, write = DOUBTS[name]
    write(here)
    _, warned = seen(run, folder, "a.png", *words)
    assert len(warned) == 1
    assert told in warned[0]


@pytest.mark.usefixtures("says")
def test_the_same_picture_twice_is_told(run: Run, folder: Path) -> None:
    code, _, err = run("ask", "a.png", "a.png", POSE, *FOCAL, "--model", folder)
    assert code == 0, err
    assert "warning: the two pictures are the same" in err


@pytest.mark.usefixtures("says")
@pytest.mark.parametrize(
    "question", ["\0", "how far \x1b[31m is it", "how far is it \N{SLIGHTLY SMILING FACE}", "\udcff"]
)
@pytest.mark.parametrize("more", [("--raw",), ("--task", "metric_depth")])
def test_odd_letters_in_a_question(run: Run, folder: Path, question: str, more: tuple[str, ...]) -> None:
    code, out, err = run("ask", "a.png", question, *RED, *FOCAL, *more, "--model", folder)
    assert (code, out) == (0, "2.42 m\n")
    assert "\x1b" not in err and "\0" not in err


@pytest.mark.usefixtures("says")
def test_names_of_files_need_not_be_text(run: Run, here: Path, folder: Path) -> None:
    name = os.fsdecode(b"k\xfcche.png")
    scenes.saved()(here / name)
    (here / name).with_suffix(".json").write_text(json.dumps({"intrinsics": GOOD_CAMERA}))
    code, out, err = run("ask", name, QUESTION, *RED, "--model", folder, "--json")
    assert code == 0, err
    assert json.loads(out)["camera"][0]["source"] == name.replace(".png", ".json")


@pytest.mark.usefixtures("says")
def test_many_points_are_a_table_with_its_warnings_beside(run: Run, folder: Path) -> None:
    code, out, err = run("ask", "a.png", "how far is it", "--grid", "2x2", "--model", folder)
    assert code == 0, err
    assert out.splitlines() == [
        "u,v,value,low,high,unit",
        *(f"{u:g},{v:g},2.42,,,m" for v in (22, 67) for u in (29.5, 89.5)),
    ]
    assert "warning: nothing is known of the camera" in err


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "ICO", "TGA", "DDS", "AVIF"]
)
def test_damaged_files_are_never_a_traceback(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow does not write AVIF")
    rng = np.random.default_rng(0)
    scenes.saved(format=kind, exif=scenes.exif(6, FocalLengthIn35mmFilm=28))(tmp_path / "whole")
    whole = np.frombuffer((tmp_path / "whole").read_bytes(), np.uint8)
    refused = 0
    for _ in range(40):
        damaged = whole.copy()
        places = rng.integers(0, min(len(whole), 10 ** rng.integers(1, 6)), rng.integers(1, 9))
        damaged[places] = rng.choice([0, 255, rng.integers(256)], len(places))
        (tmp_path / "damaged").write_bytes(damaged[: len(whole) if rng.random() < 0.8 else rng.integers(len(whole))])
        try:
            camera_of(open_picture(tmp_path / "damaged"), CameraFlags())
        except UserError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("words", [("a.png", QUESTION, *RED), ("a.png", "how far is it", "--grid", "3x3")])
@pytest.mark.parametrize(
    "at", ["toolkit.modeling.checkpoint.load_checkpoint", "toolkit.modeling.vlm.vlm_predictor.generate"]
)
def test_ctrl_c(run: Run, folder: Path, words: tuple[str, ...], at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(at, interrupted)
    started = time.monotonic()
    code, out, err = run("ask", *words, *FOCAL, "--model", folder)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert time.monotonic() - started < 5


def command(*words: str, out: Any) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'toolkit'; from toolkit.cli.main import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}  # output fails when the buffer is written
    return subprocess.run([sys.executable, "-c", code, *words], stdout=out, stderr=-1, text=True, env=env, check=False)


def test_nobody_reads_on() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = command("tasks", "--json", out=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_answers_where_stdout_takes_ascii_alone(here: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "toolkit.modeling.vlm.vlm_predictor.generate", lambda *_, **__: [Reply("2 m\N{SUPERSCRIPT TWO}")]
    )
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", write_through=True))
    monkeypatch.setattr(sys, "argv", ["toolkit", "ask", *ASK, *FOCAL, "--raw", "--model", str(folder)])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert out.getvalue() == rb"2 m\xb2" + b"\n"


def test_json_where_stdout_takes_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", errors="backslashreplace", write_through=True))
    print_json({"said": "65\N{DEGREE SIGN}"})
    assert json.loads(out.getvalue()) == {"said": "65\N{DEGREE SIGN}"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_no_room_for_the_output() -> None:
    with open("/dev/full", "w") as full:
        ended = command("tasks", "--json", out=full)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: the output: cannot be written\n  because: No space left on device\n")


def test_a_folder_that_cannot_be_written(run: Run, folder: Path, says: None) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc")
    words = ("ask", *ASK, *FOCAL, "--model", folder, "--save", "/proc/seen.png")
    check_refused(run(*words), "cannot be written", "choose another place")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A function that starts servers. The toolkit waits only shortly for them."""
    pytest.importorskip("openai", reason="the extra `remote` is not installed")
    from tests.support.server import Server
    from toolkit.modeling.remote.address import RemoteSettings
    from toolkit.modeling.remote.remote_predictor import OpenAiPredictor

    made = RemoteSettings.__init__.__defaults__
    monkeypatch.setattr(RemoteSettings.__init__, "__defaults__", (*made[:2], 0.3, 0.001))  # timeout, first_wait
    monkeypatch.setattr(OpenAiPredictor.__init__, "__defaults__", (RemoteSettings(), lambda: 0.0))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-51c0ffee")
    started = []

    def start(status: int, body: Any, seconds: float = 0.0) -> Any:
        from tests.support.server import Answer

        def answer(*_: object) -> Any:
            time.sleep(seconds)
            return Answer(body, status)

        started.append(Server(answer))
        return started[-1]

    yield start
    for each in started:
        each.close()


def fault(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


SERVERS = {
    "busy for ever": ((429, fault("rate limit")), "takes no more questions now (429), even after 7 tries", "wait", 7),
    "loading for ever": ((503, fault("loading")), "takes no more questions now (503)", "loading", 7),
    "failing": ((500, fault("out of memory")), "the server failed (500), 4 tries", "out of memory", 4),
    "slow": ((200, {}, 1.0), "no answer within 0.3 s, 2 times", "too slow", 2),
    "a web page": ((200, "<html>Welcome</html>"), "not the answer of a chat model", "usually ends in /v1", 3),
    "nonsense": ((200, {"choices": []}), "not the answer of a chat model", "/v1", 3),
    "another page": ((404, "<html>Not found</html>"), "the server knows no model gpt", "it offers tiny", 1),
    "wrong key": ((401, fault("Incorrect key sk-test-51c0ffee")), "does not let us in (401)", "OPENAI_API_KEY", 1),
    "no pictures": ((400, fault("no pictures here")), "the server refused the question (400)", "takes pictures", 1),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_in_trouble(run: Run, folder: Path, server: Callable[..., Any], name: str) -> None:
    answer, problem, hint, tries = SERVERS[name]
    started = server(*answer)
    words = ("ask", *ASK, *FOCAL, "--like", folder, "--model", f"openai:gpt@{started.remote.url}")
    began = time.monotonic()
    ended = run(*words)
    check_refused(ended, problem, hint)
    assert "sk-test-51c0ffee" not in ended[2]
    assert len(started.bodies) == tries
    assert time.monotonic() - began < 5


def test_a_server_that_is_down(run: Run, folder: Path, server: Callable[..., Any]) -> None:
    started = server(200, {})
    started.close()
    words = ("ask", *ASK, *FOCAL, "--like", folder, "--model", f"openai:gpt@{started.remote.url}")
    check_refused(run(*words), "the server cannot be reached", "check the address")


@pytest.mark.parametrize(
    ("model", "problem"),
    [("openai:gpt", "not given as openai:NAME@URL"), ("openai:gpt@https://me:secret@a.org/v1", "a password")],
)
def test_a_server_that_cannot_be_named_so(run: Run, folder: Path, model: str, problem: str) -> None:
    code, out, err = run("ask", *ASK, *FOCAL, "--like", folder, "--model", model)
    check_refused((code, out, err), problem, "openai:Qwen" if "secret" not in model else "environment variable")
    assert "secret" not in err.replace("often secret", "")
