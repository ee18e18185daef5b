"""What users give to ``toolkit ask`` that cannot be asked, and what they are told."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support import picture_scenes as scenes

QUESTION = "how far is the red point"
RED = ("--point", "red=60,45")
FOCAL = ("--focal", "100")
ASK = ("a.png", QUESTION, *RED)
POSE = "how far has the camera moved between these images"


@dataclass(frozen=True)
class Bad:
    """What cannot be asked, and what is said of it."""

    words: tuple[object, ...]
    problem: str
    hint: str
    write: Callable[[Path], object] = lambda folder: None


def of(name: str, write: scenes.Write, problem: str, hint: str) -> Bad:
    """A picture that cannot be asked about."""
    return Bad((name, QUESTION, *RED, *FOCAL), problem, hint, lambda folder: write(folder / name))


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
PICTURES = {
    "missing": Bad(("b.jpg", QUESTION), "b.jpg: there is no such picture", "check the path"),
    "misspelt": Bad(("kitchn.png", QUESTION), "no such picture", "kitchen.png?", lambda f: (f / "kitchen.png").touch()),
    "address": Bad(("https://a.org/b.jpg", QUESTION), "not from the web", "download it first"),
    "no name": Bad(("", QUESTION), "this is a folder", "name a picture in it"),
    "long name": Bad(("x" * 300 + ".png", QUESTION), "there is no such picture", "check the path"),
    "below a file": Bad(("a.png/b.png", QUESTION), "there is no such picture", "check the path"),
    "folder": of("b.png", lambda path: path.mkdir(), "this is a folder, not a picture", "name a picture in it"),
    "pipe": of("b.png", lambda path: os.mkfifo(path), "this is not a file", "save it as a file first"),
    "empty": of("b.png", scenes.holding(b""), "not a picture that Pillow reads", "the file is empty"),
    "text": of("b.png", scenes.holding(b"<!DOCTYPE html>\n404"), "not a picture", "it holds text: <!DOCTYPE html> 404"),
    "noise": of("b.png", scenes.holding(bytes(range(256)) * 9), "not a picture", "convert it to PNG or JPEG"),
    "git lfs": of("b.png", scenes.holding(b"version https://git-lfs.github.com/spec/v1\n"), "not a", "git lfs pull"),
    "video": of("b.mp4", scenes.holding(b"\0\0\0\x18ftypisom" + bytes(99)), "not a picture", "ffmpeg -i VIDEO"),
    "document": of("b.pdf", scenes.holding(b"%PDF-1.4\n"), "not a picture", "it is a PDF document"),
    "array": of("b.npy", lambda path: np.save(path, scenes.blocks()), "not a picture", "it is a NumPy array"),
    "raw": of("b.dng", scenes.named_like_raw, "camera raw files cannot be asked about", "develop it to TIFF"),
    "half a JPEG": of("b.jpg", scenes.cut("JPEG"), "the picture cannot be read", "copy it again"),
    "half a PNG": of("b.png", scenes.cut("PNG"), "the picture cannot be read", "copy it again"),
    "half a WebP": of("b.webp", scenes.cut("WEBP"), "the picture cannot be read", "copy it again"),
    "half a GIF": of("b.gif", scenes.cut("GIF"), "the picture cannot be read", "copy it again"),
    "half a TIFF": of("b.tif", scenes.cut("TIFF"), "cannot be read", "copy it again"),
    "half a BMP": of("b.bmp", scenes.cut("BMP"), "the picture cannot be read", "copy it again"),
    "header alone": of("b.png", scenes.cut("PNG", 0.003), "the picture cannot be read", "copy it again"),
    "one pixel": of("b.png", scenes.blank(1, 1), "1 x 1 px are too few", "16 px a side"),
    "a line": of("b.png", scenes.blank(500, 15), "500 x 15 px are too few", "16 px a side"),
    "too wide": of("b.png", scenes.blank(33000, 20), "33000 x 20 px are too many", "32766 a side"),
    "too large": of("b.png", scenes.blank(20000, 10001, "1"), "20000 x 10001 px are too many", "200 million"),
    "floating": of("b.tif", scenes.plain(np.zeros((90, 120), np.float32)), "floating-point", "8 bits"),
    "32 bits": of("b.tif", scenes.plain(np.full((90, 120), 10**5, np.int32)), "from 100000 to 100000", "8 bits"),
    "HEIC": of("b.heic", scenes.holding(HEIC), "HEIC pictures cannot be read here", "pip install pillow-heif"),
    "HEIC as JPEG": of("b.jpg", scenes.holding(HEIC), "HEIC pictures cannot be read here", "pip install pillow-heif"),
    "JPEG XL": of("b.jxl", scenes.holding(b"\xff\x0a" + bytes(99)), "JPEG XL", "pip install pillow-jxl-plugin"),
    "second one": Bad(("a.png", "b.png", POSE), "b.png: there is no such picture", "check the path"),
}

WORDS = {
    "no question": Bad(("a.png",), "the question is missing", 'toolkit ask photo.jpg "how far is the red point"'),
    "no picture": Bad((QUESTION,), "the picture is missing", "before the question"),
    "no quotes": Bad(("a.png", "how", "far"), "3 words are given", "put the question in quotes"),
    "no quotes, longer": Bad(("a.png", "how", "far", "is", "it"), "5 words are given", "put the question in quotes"),
    "question first": Bad((QUESTION, "a.png"), "the question comes last", "a.png is a file"),
    "question between": Bad(("a.png", QUESTION, "a.png"), "the question comes last", "a.png is a file"),
    "pictures alone": Bad(("a.png", "a.png"), "the question is missing", "in quotes behind the picture"),
    "three pictures": Bad(("a.png",) * 3 + (QUESTION,), "3 pictures are given", "about one picture, or about two"),
    "empty": Bad(("a.png", ""), "the question is empty", "--task"),
    "blank": Bad(("a.png", " \n"), "the question is empty", "--task"),
    "10,000 characters": Bad(("a.png", "how far " * 1250), "has 10000 characters", "at most 2000"),
}

CAMERAS = {
    "two of them": Bad((*ASK, *FOCAL, "--fov", "60"), "--focal and --fov are given together", "give one of them"),
    "millimetres": Bad((*ASK, "--focal", "26mm"), "--focal 26mm: this is not a number", "--fov DEGREES"),
    "no number": Bad((*ASK, "--fov", "60°"), "--fov 60°: this is not a number", "a number alone"),
    "focal 0": Bad((*ASK, "--focal", "0"), "--focal 0 is not a positive number", "pixels of this picture"),
    "focal -1": Bad((*ASK, "--focal=-1"), "--focal -1 is not a positive number", "pixels of this picture"),
    "focal nan": Bad((*ASK, "--focal", "nan"), "--focal nan is not a positive number", "pixels of this picture"),
    "focal inf": Bad((*ASK, "--focal", "inf"), "--focal inf is not a positive number", "pixels of this picture"),
    "fov 0": Bad((*ASK, "--fov", "0"), "no angle between 0 and 180", "in degrees"),
    "fov 180": Bad((*ASK, "--fov", "180"), "no angle between 0 and 180", "in degrees"),
    "fov nan": Bad((*ASK, "--fov", "nan"), "no angle between 0 and 180", "in degrees"),
    "three numbers": Bad((*ASK, "--intrinsics", "1,2,3"), "not four numbers", "FX,FY,CX,CY"),
    "five numbers": Bad((*ASK, "--intrinsics", "1,2,3,4,5"), "not four numbers", "FX,FY,CX,CY"),
    "words": Bad((*ASK, "--intrinsics", "a,b,c,d"), "not four numbers", "FX,FY,CX,CY"),
    "negative": Bad((*ASK, "--intrinsics=-9,100,60,45"), "cannot be those of a.png", "must be positive"),
    "not finite": Bad((*ASK, "--intrinsics", "100,nan,60,45"), "cannot be those of a.png", "finite numbers"),
    "larger picture": Bad(
        (*ASK, "--intrinsics", "400,400,239.5,179.5"),
        "cannot be those of a.png",
        "about 480 x 360 px; then pass --intrinsics 100,100,59.5,44.5",
    ),
}

POINTS = {
    "no place": Bad(("a.png", QUESTION, "--point", "red"), "this is not NAME=U,V", "--point red=320,240"),
    "no comma": Bad(("a.png", QUESTION, "--point", "red=60:45"), "this is not NAME=U,V", "--point red=320,240"),
    "outside": Bad(("a.png", QUESTION, "--point", "red=120,45"), "red=120,45 lies outside the 120 x 90", "upright"),
    "negative": Bad(
        ("a.png", QUESTION, "--point", "red=-1,45"), "-1,45 lies outside the picture", "per cent of the picture"
    ),
    "no colour": Bad(("a.png", QUESTION, "--point", "crimson=6,4"), "unknown marker colour 'crimson'", "red"),
    "twice": Bad((*ASK, *RED), "--point red is given twice", "a colour of its own"),
    "same place": Bad((*ASK, "--point", "blue=60,45"), "red and blue are at the same place", "its own pixel"),
    "grid of none": Bad(("a.png", QUESTION, "--grid", "0x5"), "--grid 0x5: this is not", "--grid 16x12"),
    "grid of words": Bad(("a.png", QUESTION, "--grid", "many"), "--grid many: this is not", "--grid 16x12"),
    "empty grid": Bad(("a.png", QUESTION, "--grid", ""), "--grid : this is not", "--grid 16x12"),
    "fine grid": Bad(("a.png", QUESTION, "--grid", "1000x1000"), "finer than the pixels", "--grid 16x12"),
    "huge grid": Bad(
        ("b.png", QUESTION, "--grid", "400x400"),
        "asks 160000 questions",
        "toolkit cloud",
        lambda folder: scenes.blank(500, 500)(folder / "b.png"),
    ),
    "grid and a point": Bad((*ASK, "--grid", "2x2"), "--point cannot be given with", "leave it out"),
    "grid and raw": Bad(("a.png", "it?", "--grid", "2x2", "--raw"), "--raw cannot be given with", "leave it out"),
    "grid and check": Bad(("a.png", "it?", "--grid", "2x2", "--check"), "--check cannot be given", "leave it out"),
    "grid and save": Bad(("a.png", "it?", "--grid", "2x2", "--save", "x.png"), "--save cannot be", "leave it out"),
    "grid and two": Bad(("a.png", "a.png", POSE, "--grid", "2x2"), "a second picture cannot be", "leave it out"),
    "save as JPEG": Bad((*ASK, *FOCAL, "--save", "x.jpg"), "only PNG is written", "name it .png"),
    "save as folder": Bad((*ASK, *FOCAL, "--save", "."), "only PNG is written", "name it .png"),
    "save over it": Bad((*ASK, *FOCAL, "--save", "a.png"), "the picture that is asked about", "another name"),
    "save below a file": Bad((*ASK, *FOCAL, "--save", "a.png/x.png"), "a.png is not a folder", "another place"),
}


def beside(content: object) -> Callable[[Path], object]:
    """A file beside the picture."""
    text = content if isinstance(content, str) else json.dumps(content)
    return lambda folder: (folder / "a.json").write_bytes(text.encode("latin-1"))


def sized(*values: float, **more: object) -> Callable[[Path], object]:
    return beside({"intrinsics": list(values), **more})


GOOD_CAMERA = (100, 100, 59.5, 44.5, 120, 90)
BESIDE = {
    "broken": Bad(ASK, "a.json: there is no camera in it", "not JSON", beside("{")),
    "empty": Bad(ASK, "a.json: there is no camera in it", "not JSON", beside("")),
    "not text": Bad(ASK, "a.json: there is no camera in it", "not JSON", beside("\xff\xfe\0")),
    "deep": Bad(ASK, "a.json: there is no camera in it", "not JSON", beside("[" * 10**5)),
    "a list": Bad(ASK, "a.json: there is no camera in it", "no `intrinsics`", beside([1])),
    "another's": Bad(ASK, "a.json: there is no camera in it", "no `intrinsics`", beside({"shapes": []})),
    "words": Bad(ASK, "a.json: there is no camera in it", "not six numbers", beside({"intrinsics": "wide"})),
    "nested": Bad(ASK, "a.json: there is no camera in it", "not six numbers", beside({"intrinsics": [[1] * 6]})),
    "huge": Bad(ASK, "a.json: there is no camera in it", "too large", beside({"intrinsics": [10**400, *[1] * 5]})),
    "five": Bad(ASK, "a.json: intrinsics [1, 2, 3, 4, 5] are not six", "in pixels", sized(1, 2, 3, 4, 5)),
    "nan": Bad(ASK, "are not six finite numbers", "in pixels", sized(float("nan"), *GOOD_CAMERA[1:])),
    "zero": Bad(ASK, "focal length or size that is not positive", "in pixels", sized(0, *GOOD_CAMERA[1:])),
    "four of distortion": Bad(ASK, "is not five finite numbers", "k3", sized(*GOOD_CAMERA, distortion=[0.1] * 4)),
    "resized": Bad(ASK, "for 240 x 180 px", "[100, 100, 59.5, 44.5, 120, 90]", sized(200, 200, 119.5, 89.5, 240, 180)),
    "turned": Bad(ASK, "for 90 x 120 px", "of the upright picture", sized(100, 100, 44.5, 59.5, 90, 120)),
    "cut": Bad(ASK, "for 100 x 120 px", "of this size", sized(100, 100, 44.5, 59.5, 100, 120)),
}

ALL = {
    f"{kind}: {name}": bad
    for kind, table in {
        "picture": PICTURES,
        "words": WORDS,
        "camera": CAMERAS,
        "points": POINTS,
        "beside": BESIDE,
    }.items()
    for name, bad in table.items()
}


TWO = ("a.png", "how far apart are red and blue", *RED, "--point", "blue=90,45")
MODEL = {
    "no mark": Bad(("a.png", QUESTION, *FOCAL), "no compact red marks", "--point red=U,V"),
    "white mark": Bad(("a.png", "how far is the white point", *FOCAL), "a white mark cannot be told", "--point white"),
    "other mark": Bad(("a.png", QUESTION, "--point", "blue=60,45", *FOCAL), "names a red point", "add --point red=U,V"),
    "no point": Bad(("a.png", "how far is it", *FOCAL), "does not fit no points in 1 picture", "1 point in 1 picture"),
    "one of two": Bad(("a.png", "which is closer", *RED, *FOCAL), "does not fit 1 point", "needs 2 points"),
    "one picture of two": Bad(("a.png", POSE, *FOCAL), "does not fit no points in 1", "no points in 2 pictures"),
    "no speed": Bad(("a.png", "how long does it take to get to the red point", *RED, *FOCAL), "no speed", "1.5 m/s"),
    "another language": Bad(("a.png", "wie weit ist es", *RED, *FOCAL), "no task understands", "--task NAME"),
    "unknown task": Bad((*ASK, *FOCAL, "--task", "metric_dpth"), "unknown task", "did you mean metric_depth?"),
    "untrained task": Bad((*ASK, *FOCAL, "--task", "travel_speed"), "was not trained on travel_speed", "was trained"),
    "task of two": Bad((*ASK, *FOCAL, "--task", "relative_depth"), "needs 2 points in 1 picture", "--point red"),
    "like": Bad((*ASK, *FOCAL, "--like", "x"), "--like is for models without a contract", "a checkpoint says itself"),
    "own tasks": Bad((*ASK, *FOCAL, "--include", "x.py"), "x.py: there is no such Python file", "--include"),
    "radians": Bad((*ASK, "--fov", "1.13"), "its field of view cannot be", "1.13 may be radians, which is 65 degrees"),
    "nearly 180": Bad((*ASK, "--fov", "179.999"), "field of view would be 179.999 degrees", "the whole angle"),
    "tiny focal": Bad((*ASK, "--focal", "1e-9"), "focal lengths of 1e-09 and 1e-09 px are impossible", "in pixels"),
    "huge focal": Bad((*ASK, "--focal", "1e30"), "focal lengths of 1e+30 and 1e+30 px are impossible", "in pixels"),
    "millimetres of a large picture": Bad(
        ("b.png", QUESTION, "--point", "red=9,9", "--focal", "3"),
        "b.png: its field of view cannot be 180 x 180 degrees",
        "3 may be the lens's own focal length in millimetres",
        lambda folder: scenes.blank(4000, 3000)(folder / "b.png"),
    ),
    "points too far apart": Bad((*TWO[:-1], "blue=119,89", "--focal", "20"), "px apart at a focal", "closer together"),
}


def depths(name: str, array: np.ndarray) -> Callable[[Path], object]:
    """A depth map."""
    return lambda folder: np.save(folder / name, array)


PLY = ("a.png", "-o", "out.ply")
DEPTH = (*PLY, *FOCAL, "--depth", "d.npy", "--depth-type", "z")
CLOUDS = {
    "no picture": Bad(("b.png", "-o", "out.ply"), "b.png: there is no such picture", "check the path"),
    "another kind": Bad(("a.png", "-o", "out.obj"), "out.obj: only PLY is written", "name it .ply"),
    "below a file": Bad(("a.png", "-o", "a.png/out.ply"), "a.png: cannot be written", "another place"),
    "no camera": Bad((*PLY, "--fov", "200"), "no angle between 0 and 180", "in degrees"),
    "no depth type": Bad((*PLY, "--depth", "d.npy"), "--depth-type is missing", "--depth-type euclidean"),
    "depth and against": Bad((*DEPTH, "--against", "d.npy"), "are given together", "make two clouds"),
    "no scale": Bad((*DEPTH, "--depth-scale", "0"), "--depth-scale 0 is not a positive number", "0.001 for mill"),
    "no such depth map": Bad(DEPTH, "d.npy: there is no such depth map", "check its path"),
    "no depth": Bad(DEPTH, "d.npy: there is no depth in this", "the right file", depths("d.npy", np.zeros((90, 120)))),
    "other size": Bad(DEPTH, "the depth map is 60 x 45", "resample", depths("d.npy", np.ones((45, 60)))),
    "three channels": Bad(DEPTH, "the depth map cannot be read", "one channel", depths("d.npy", np.ones((90, 120, 3)))),
    "nothing splits": Bad((*PLY, *FOCAL, "--ratio", "0.5"), "grid of questions: 1 fault", "give a ratio above 1"),
}
ASKED_CLOUDS = {
    "radians": Bad((*PLY, "--fov", "1.13"), "its field of view cannot be", "1.13 may be radians"),
    "too many": Bad((*PLY, *FOCAL, "--questions", "9"), "takes 704 questions, not 9 at most", "allow more"),
    "against nothing": Bad(
        (*PLY, *FOCAL, "--against", "d.npy", "--depth-type", "z"), "there is no such depth map", "check its path"
    ),
    "no answer": Bad((*PLY, *FOCAL, "--columns", "2", "--levels", "0"), "none of 4 answers can be read", "toolkit ask"),
}
