"""Tests of ``toolkit.utils.overwrite``: a command writes over what it wrote itself, and over nothing else."""

from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.overwrite import check_overwrite, has_mark, mark_of


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    names = ("own", "other", "foreign", "missing")
    found = {name: tmp_path / name for name in names}
    found["own"].write_text(f"# {mark_of('data preview')}\n")
    found["other"].write_text(f"# {mark_of('ask')}\n")
    found["foreign"].write_text("mine" + " " * 5000 + mark_of("data preview"))
    return found


def test_only_what_the_command_wrote_is_written_over(files: dict[str, Path]) -> None:
    check_overwrite([files["own"], files["missing"]], "data preview")
    for name in ("other", "foreign"):
        with pytest.raises(UserError, match=f"{name}: this file is there already.*data preview did not write it"):
            check_overwrite([files["own"], files[name]], "data preview")
        check_overwrite([files[name]], "data preview", force=True)
    assert has_mark(files["own"], "data preview") and not has_mark(files["missing"], "data preview")


def test_a_folder_may_say_for_its_files_who_wrote_them(files: dict[str, Path]) -> None:
    check_overwrite([files["foreign"]], "eval", own=True)
    with pytest.raises(UserError, match="did not write it"):
        check_overwrite([files["own"]], "data preview", own=False)


@pytest.mark.parametrize("link", ["itself", "symlink", "hardlink", "through a folder"])
@pytest.mark.parametrize("force", [False, True])
def test_inputs_are_never_written_over(files: dict[str, Path], tmp_path: Path, link: str, force: bool) -> None:
    given, target = files["own"], tmp_path / "link"
    if link == "symlink":
        target.symlink_to(given)
    elif link == "hardlink":
        target.hardlink_to(given)
    elif link == "through a folder":
        (tmp_path / "folder").symlink_to(tmp_path)
        target = tmp_path / "folder" / "own"
    else:
        target = given
    with pytest.raises(UserError, match="the same command reads this file"):
        check_overwrite([target], "data preview", force, [files["missing"], given])


def test_folders_and_dead_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is a folder"):
        check_overwrite([tmp_path], "ask", force=True)
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="did not write it"):
        check_overwrite([tmp_path / "dead"], "ask")
