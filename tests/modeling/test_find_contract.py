"""Finding the contract of a model on a server or of a plain model folder, and asking by it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command import Run
from tests.support.walls import wall
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canvas
from toolkit.inference.asker import load
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, Contract, open_contract
from toolkit.modeling.find_contract import (
    STOCK,
    contract_for_remote,
    contract_named,
    lent_contract,
    print_licence,
)
from toolkit.modeling.remote.address import RemoteModel
from toolkit.utils.resources import model_folder

URL = "http://localhost:8000/v1"
ASK = ("how far is the red point", "--point", "red=40,40", "--focal", "100")


@pytest.fixture
def weightless(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder("tiny"), tmp_path / "run", ignore=shutil.ignore_patterns("*.safetensors")))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says nothing of how it is asked."""
    home = tmp_path_factory.mktemp("plain") / "someones"
    return Path(shutil.copytree(model_folder("tiny"), home, ignore=shutil.ignore_patterns(CONTRACT, RECIPE, "*.npz")))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(wall()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_served_folder_is_asked_by_its_own_contract(weightless: Path) -> None:
    contract = contract_for_remote(RemoteModel(str(weightless), URL))
    assert contract.presenter == open_contract(weightless).presenter
    assert contract.origin == str(weightless)


def test_another_checkpoint_can_lend_its_contract(weightless: Path, tmp_path: Path) -> None:
    assert contract_for_remote(RemoteModel("gpt", URL), weightless).origin == str(weightless)
    with pytest.raises(UserError, match="no checkpoint of this toolkit"):
        contract_for_remote(RemoteModel(str(weightless), URL), tmp_path)


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-3B-Instruct", "toolkit", "/", "gpt:4o"])
def test_a_stranger_is_asked_as_in_the_paper(name: str) -> None:
    contract = contract_for_remote(RemoteModel(name, URL))
    assert len(contract.tasks) == 7
    assert contract.presenter.canonicalisation.focal == 1000
    assert contract.presenter.canonicalisation.canvas == Canvas(multiple=28)
    assert contract.presenter.canonicalisation.crop is None
    assert (contract.presenter.marker.shape, contract.presenter.marker.size) == ("arrow", 5)
    assert contract.presenter.reference == "marker"
    assert contract.origin == "recipe depthlm_qwen2_5_vl_3b"


def test_a_served_published_model_is_asked_by_its_own_contract() -> None:
    assert contract_for_remote(RemoteModel("facebook/DepthLM", URL)).origin == "facebook/DepthLM"
    assert contract_for_remote(RemoteModel("gpt", URL), "facebook/VLM3-depth").origin == "facebook/VLM3-depth"


def test_a_plain_model_is_asked_only_as_someone_says(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint of this toolkit") as caught:
        load(plain)
    assert "--like stock" in caught.value.remedy and "facebook" not in caught.value.remedy
    (tmp_path / "DepthLM-copy").mkdir()
    shutil.copy(plain / "config.json", tmp_path / "DepthLM-copy")
    with pytest.raises(UserError, match="no checkpoint of this toolkit") as caught:
        load(tmp_path / "DepthLM-copy")
    assert "if it is a copy of facebook/DepthLM: --like facebook/DepthLM" in caught.value.remedy


def test_a_folder_of_the_hubs_cache_is_known(plain: Path, tmp_path: Path) -> None:
    for name, known in (("DepthLM", True), ("VLM3-pose", False)):
        folder = tmp_path / f"models--facebook--{name}" / "snapshots" / "0a1b"
        folder.mkdir(parents=True)
        shutil.copy(plain / "config.json", folder)
        if known:
            assert getattr(lent_contract(folder), "origin", None) == "facebook/DepthLM"
        else:
            with pytest.raises(UserError, match="VLM3-pose cannot be asked yet"):
                lent_contract(folder)


def test_a_checkpoint_says_itself_how_it_is_asked(weightless: Path) -> None:
    with pytest.raises(UserError, match="for models without a contract of their own"):
        lent_contract(weightless, STOCK)
    assert lent_contract(weightless) is None


def test_an_unknown_contract_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(UserError, match="--like facebook/DepthML: there is no such contract") as caught:
        contract_named("facebook/DepthML")
    assert "stock" in caught.value.remedy and "facebook/DepthLM" in caught.value.remedy


def test_a_contract_takes_the_picture_sizes_of_the_model() -> None:
    contract = contract_named("facebook/DepthLM")
    assert contract.presenter.canonicalisation.canvas == Canvas(16, fit="cut")
    assert contract.on(Canvas(28)).presenter.canonicalisation.canvas == Canvas(28, fit="cut")
    assert contract.on(Canvas(28)).signature != contract.signature == contract_named("facebook/DepthLM").signature


@pytest.mark.slow
def test_a_stock_model_is_asked_and_every_answer_says_so(run: Run, plain: Path, photo: Path) -> None:
    code, out, err = run("ask", photo, *ASK, "--model", plain, "--like", STOCK)
    assert code == 0, err
    assert "never trained for such questions" in out + err
    for reached in (".118", ".370", ".186"):
        assert reached in out + err
    asker = load(plain, like=STOCK)
    assert asker.presenter.canonicalisation.focal == 1000
    assert asker.presenter.canonicalisation.canvas == Canvas(square=96)
    assert len(asker.tasks) == 7


@pytest.mark.slow
def test_a_plain_model_is_asked_as_a_checkpoint(run: Run, plain: Path, photo: Path) -> None:
    code, out, err = run("ask", photo, *ASK, "--model", plain, "--like", "tiny", "--json")
    own = run("ask", photo, *ASK, "--model", "tiny", "--json")[1]
    assert code == 0, err
    assert [line for line in out.splitlines() if '"text"' in line] == [
        line for line in own.splitlines() if '"text"' in line
    ]


def test_a_licence_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    contract = replace(contract_named("facebook/VLM3-depth"), origin="someone/model")
    for _ in range(2):
        print_licence(contract)
    assert capsys.readouterr().err == "note: someone/model: licence FAIR, non-commercial: for research only\n"
    print_licence(contract_named(STOCK))
    assert not capsys.readouterr().err


def test_a_processor_that_the_model_does_not_know_is_an_error(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Contract] = []
    monkeypatch.setattr("toolkit.inference.asker.print_licence", told.append)
    with pytest.raises(UserError, match="do_rescale of the image processor is True") as caught:
        load(plain, like="facebook/DepthLM")
    assert "facebook/DepthLM was trained with False" in caught.value.cause
    assert [contract.origin for contract in told] == ["facebook/DepthLM"]
