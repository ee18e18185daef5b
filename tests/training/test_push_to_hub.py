"""A run that is sent to a stand-in for the hub, and asked by its id."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.support.command import Run
from tests.support.hub_server import READ_TOKEN, TOKEN, Fault, HubServer, use_hub
from tests.support.walls import wall
from toolkit.config.build import make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE
from toolkit.training.export import RECORD
from toolkit.training.model_card import model_card, restricted
from toolkit.training.push_to_hub import HubTarget, license_note
from toolkit.utils.json import dump_json
from toolkit.utils.overwrite import mark_of
from toolkit.utils.resources import MODELS, TINY

EXPORTED = {RECORD: dump_json({"about": mark_of("export")}).encode(), "model-00009-of-00009.safetensors": b"0"}


@pytest.fixture
def writable(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A hub to which somebody is logged in who may write."""
    use_hub(hub, tmp_path / "cache", monkeypatch, TOKEN)
    monkeypatch.chdir(tmp_path)
    return hub


@pytest.mark.slow
def test_a_run_that_is_shared_is_asked_by_its_id(writable: HubServer, run: Run, tmp_path: Path) -> None:
    code, out, err = run("export", "tiny", "--push-to-hub", "ada/shared")
    assert code == 0, err
    assert out.endswith(f"shared (private): {writable.url}/ada/shared\n")
    assert "--model ada/shared" in err
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []
    assert writable.repositories["ada/shared"].private
    Image.fromarray(wall()).save("a.png")
    question = ("ask", "a.png", "how far is the red point", "--point", "red=20,20", "--focal", 100, "--json")
    answers = []
    for model in ("ada/shared", TINY):
        code, out, err = run(*question, "--model", model)
        assert code == 0, err
        answers.append(json.loads(out))
    assert answers[0]["model"].startswith("ada/shared@")
    for key in ("value", "text", "probability", "interval", "prompt"):
        assert answers[0][key] == answers[1][key]


def test_a_push_replaces_an_earlier_one_whole(writable: HubServer, tmp_path: Path) -> None:
    writable.add("lab/model", {**EXPORTED, "notes.md": b"mine"})
    (tmp_path / "out").mkdir()
    for name in ("model.safetensors", CONTRACT, "secret.json"):
        (tmp_path / "out" / name).write_text("{}")
    target = HubTarget("lab/model", public=True)
    target.check()
    assert target.push(tmp_path / "out", ["model.safetensors", CONTRACT]) == f"{writable.url}/lab/model"
    assert set(writable.files("lab/model")) == {"model.safetensors", CONTRACT, RECORD, "notes.md"}


REFUSED = {
    "nobody": ("ada/new", "", False, "nobody is logged in", "hf auth login"),
    "a wrong token": ("ada/new", "hf_wrong", False, "did not take the model", "hf auth login"),
    "a token to read": ("ada/new", READ_TOKEN, False, "may only read", "hf auth login"),
    "another owner": ("bob/new", TOKEN, False, "may not write there", "ada/NAME or lab/NAME"),
    "no name": ("new", TOKEN, False, "no name of a repository", "OWNER/NAME"),
    "a revision": ("ada/new@main", TOKEN, False, "no name of a repository", "OWNER/NAME"),
    "something else": ("ada/other", TOKEN, False, "did not write", "--force"),
    "a forged mark": ("ada/forged", TOKEN, False, "did not write", "--force"),
    "seen by all": ("ada/public", TOKEN, False, "this repository is public", "add --public"),
    "seen by few": ("ada/other", TOKEN, True, "this repository is private", "leave out --public"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_hub_would_not_take_is_said_first(
    case: str, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, token, public, problem, remedy = REFUSED[case]
    use_hub(hub, tmp_path / "cache", monkeypatch, token)
    hub.add("ada/other", {"model.bin": b"0"}, private=True)
    hub.add("ada/forged", {RECORD: b"{}"}, private=True)
    hub.add("ada/public", EXPORTED)
    with pytest.raises(UserError) as caught:
        HubTarget(name, public).check()
    assert problem in caught.value.problem and remedy in caught.value.remedy


def test_what_the_hub_takes(writable: HubServer) -> None:
    writable.add("ada/other", {"model.bin": b"0"}, private=True)
    writable.add("ada/export", EXPORTED, private=True)
    writable.add("ada/fresh", {".gitattributes": b"", "README.md": b""}, private=True)
    for name, force in (("ada/new", False), ("lab/new", False), ("ada/export", False), ("ada/fresh", False)):
        HubTarget(name, force=force).check()
    HubTarget("ada/other", force=True).check()


def test_nothing_is_exported_if_nobody_is_logged_in(
    hub: HubServer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("export", "tiny", "out", "--push-to-hub", "ada/new")
    assert (code, out) == (2, "") and "nobody is logged in" in err
    assert not Path("out").exists()


def test_words_that_do_not_go_together(run: Run) -> None:
    assert "--push-to-hub OWNER/NAME" in run("export", "tiny")[2]
    code, _, err = run("export", "tiny", "out", "--public")
    assert code == 2 and "--push-to-hub" in err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("POST .*/commit/", status=403), "answered 403"),
        (Fault("PUT /upload", status=400), "answered 400"),
        (Fault("POST /api/repos/create", status=500), "answered 500"),
    ],
    ids=lambda value: value.where if isinstance(value, Fault) else "",
)
def test_a_push_that_fails(fault: Fault, said: str, writable: HubServer, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"0")
    writable.faults.append(fault)
    with pytest.raises(UserError) as caught:
        HubTarget("ada/new").push(tmp_path, ["model.safetensors"])
    assert said in caught.value.cause and caught.value.remedy


def _front_matter(card: str) -> dict[str, object]:
    return dict(yaml.safe_load(card.split("---\n")[1]))


@pytest.mark.parametrize(
    ("stated", "license", "shown"),
    [
        (b"---\nlicense: apache-2.0\n---\n", "apache-2.0", "apache-2.0"),
        (b"---\nlicense: other\nlicense_name: fair-noncommercial\n---\n", "other", "fair-noncommercial"),
        (b"---\nlicense: [\n---\n", "other", "not stated"),
        (b"# no front matter", "other", "not stated"),
    ],
)
def test_the_card_names_the_base_and_its_licence(
    stated: bytes, license: str, shown: str, hub: HubServer, quick: Path
) -> None:
    hub.add("lab/base", {"config.json": b"{}", "README.md": stated})
    recipe = load_recipe(quick)
    plan = make_plan(recipe, Canvas(square=32))
    based = recipe.model_copy(update={"model": recipe.model.model_copy(update={"name": "lab/base@main"})})
    card = model_card("ada/new", based, plan, None, "")
    about = _front_matter(card)
    assert about["base_model"] == "lab/base" and about["license"] == license
    assert about["pipeline_tag"] == "image-text-to-text" and about["library_name"] == "transformers"
    assert f"Licence of the base model: {shown}." in card
    assert "--model ada/new" in card


def test_licences_that_limit_what_may_be_shared_are_named(tmp_path: Path) -> None:
    contract = json.loads((MODELS / TINY / CONTRACT).read_text())
    named = ["CC0-1.0 (synthetic)", "CC BY 4.0", "CC BY-NC-SA 4.0", "research use", "mine: not stated"]
    (tmp_path / CONTRACT).write_text(json.dumps({**contract, "data_licenses": named}))
    (tmp_path / RECIPE).write_text(dump_recipe(load_recipe(MODELS / TINY / RECIPE)))
    assert license_note(tmp_path).endswith("CC BY-NC-SA 4.0; research use; mine: not stated")
    assert restricted(named[:2]) == []
