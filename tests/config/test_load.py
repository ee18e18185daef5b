"""Reading recipes: unknown keys, overrides, the places of faults, and every recipe that comes with the toolkit."""

import os
import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.training import TINY
from toolkit.config.build import check_trainable
from toolkit.config.build_presenter import make_tasks
from toolkit.config.load import differences, dump_recipe, find_recipe, load_recipe, recipe_names, recipe_summary
from toolkit.config.recipe import ManifestSource, Recipe
from toolkit.errors import UserError


def faults(path: Path, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_opens_with_its_command_and_is_sound(name: str) -> None:
    first = find_recipe(name).read_text().splitlines()[0]
    assert re.match(rf"# toolkit (train|eval runs/\w+) recipes/{name}\.yaml", first)
    assert recipe_summary(name)
    overrides = [word for word in first.split() if "=" in word]
    recipe = load_recipe(name, overrides)
    assert recipe.tasks


def test_a_dumped_recipe_reads_back(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe
    assert differences(recipe, load_recipe(copy)) == []


def test_the_command_line_wins(quick: Path) -> None:
    recipe = load_recipe(quick, ["trainer.steps=50", "tasks.metric_depth=0.3", "trainer.learning_rate=1e-5"])
    assert recipe.trainer.steps == 50
    assert recipe.tasks["metric_depth"].weight == 0.3
    assert recipe.trainer.learning_rate == 1e-5


def test_overrides_reach_into_new_sections(quick: Path) -> None:
    recipe = load_recipe(quick, ["model.lora.rank=4", "tasks.relative_depth.options.margin=0.2"])
    assert recipe.model.lora is not None
    assert recipe.model.lora.rank == 4
    assert recipe.tasks["relative_depth"].options == {"margin": 0.2}


def test_a_bare_share_keeps_the_options(quick: Path) -> None:
    recipe = load_recipe(quick, ["tasks.metric_depth.options.unit=m", "tasks.metric_depth=0.3"])
    assert recipe.tasks["metric_depth"].weight == 0.3
    assert recipe.tasks["metric_depth"].options == {"unit": "m"}


def test_an_option_keeps_a_bare_share(quick: Path) -> None:
    recipe = load_recipe(quick, ["tasks.metric_depth.options.unit=m"])
    assert recipe.tasks["metric_depth"].weight == 0.5


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "1.5e-3", "+2e3", "0.1"])
def test_floats_are_numbers(text: str, quick: Path) -> None:
    assert load_recipe(quick, [f"trainer.max_grad_norm={text}"]).trainer.max_grad_norm == float(text)


def test_paths_are_relative_to_where_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes" / "r.yaml"
    path.write_text("tasks: {metric_depth: 1}\nsources: {a: {path: a.jsonl}}\n")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(path, ["sources.b.path=b.jsonl"])
    sources = {name: source for name, source in recipe.sources.items() if isinstance(source, ManifestSource)}
    assert sources["a"].path == tmp_path / "recipes" / "a.jsonl"
    assert sources["b"].path == tmp_path / "b.jsonl"


@pytest.mark.parametrize("name", ["protocol/nyuv2", find_recipe("protocol/nyuv2")])
def test_paths_of_the_toolkits_own_recipes_are_relative_to_the_current_folder(
    name: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = load_recipe(name).sources["nyuv2"]
    assert isinstance(source, ManifestSource)
    assert source.path == tmp_path / "data" / "nyuv2" / "manifest.jsonl"


def test_unknown_key_suggests_and_says_where(quick: Path) -> None:
    quick.write_text(quick.read_text().replace("steps: 6", "stepz: 6"))
    message = faults(quick)
    assert f"{quick}, line 8: trainer.stepz: unknown key" in message
    assert "did you mean steps?" in message


def test_all_faults_together(quick: Path) -> None:
    message = faults(quick, "seed=-1", "trainer.stps=3", "marker.colors=[red,blu]", "sources.rooms.settings.foo=1")
    assert "4 faults" in message
    assert "command line, seed=-1" in message
    assert "did you mean blue?" in message
    assert "sources.rooms.settings.foo: unknown key" in message
    assert "did you mean pictures?" in faults(quick, "sources.s={kind: shapes, settings: {picture: 3}}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.steps=0", "greater than or equal to 1"),
        ("trainer.learning_rate=fast", "valid number"),
        ("trainer.learning_rate=.nan", "finite"),
        ("marker.shape=arow", "'arrow'"),
        ("marker.colors=[]", "at least one colour"),
        ("marker.colors=[red,red]", "none of them twice"),
        ("canonical.focal=-5", "greater than 0"),
        ("canonical.crop={width: [20, 10], height: [1, 2]}", "smallest"),
        ("tasks.metric_depth=-1", "greater than or equal to 0"),
        ("sources.more.kind=video", "'rooms', 'manifest'"),
        ("sources.more={path: a.jsonl, convert: --split val}", "should match pattern"),
        ("evaluation.multiple=0", "greater than or equal to 1"),
        ("sources.more.weight=1", "sources.more.path is missing"),
        ("tasks={metric_depth: 0}", "every task has a share of 0"),
        ("curriculum=[{share: 1, tasks: {metric_depth: 0}}]", "every task has a share of 0"),
        ("trainer.cycles=2", "cycles: 2 needs schedule: cosine_with_restarts"),
        ("curriculum=[{share: 1, tasks: {mteric_depth: 1}}]", "the curriculum names mteric_depth"),
        ("curriculum=[{share: 0, tasks: {metric_depth: 1}}]", "greater than 0"),
        ("model.lora.rank=0", "greater than or equal to 1"),
        ("model.freeze=[head]", "'language'"),
        ("reference=both", "'marker'"),
        ("trainer", "not key=value"),
        ("model.tiny.width=33", "no multiple of 8"),
        ("model.tiny.patch=64", "no multiple of patch"),
        ("model.name=tiny", "name: tiny-random takes others"),
        ("curriculum=[{share: 1, tasks: {metric_depth: 1}, patch_words: 2}]", "less than or equal to 1"),
        ("seed=4294967296", "less than 4294967296"),
        ("trainer.steps=99999999999999999999", "less than or equal to 1000000000"),
    ],
)
def test_wrong_values(quick: Path, override: str, message: str) -> None:
    assert message in faults(quick, override)


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("seed=2024-13-45", "seed", "valid integer"),
        ("seed=1:30", "seed", "valid integer"),
        ("seed=true", "seed", "not true or false"),
        ("seed=[1]", "seed", "valid integer"),
        ("trainer.steps=true", "trainer.steps", "not true or false"),
        ("trainer.weight_decay=inf", "trainer.weight_decay", "finite"),
        ("trainer.weight_decay=1e6", "trainer.weight_decay", "less than or equal to 10"),
        ("trainer.warmup=.nan", "trainer.warmup", "finite"),
        ("trainer.learning_rate=3", "trainer.learning_rate", "less than or equal to 1"),
        ("trainer.max_grad_norm=.inf", "trainer.max_grad_norm", "finite"),
        ("trainer.batch_size=10000000", "trainer.batch_size", "less than or equal to 65536"),
        ("trainer.steps=1000000000", "trainer", "samples"),
        ("trainer.workers=100000", "trainer.workers", "less than or equal to 1024"),
        ("trainer.max_tokens=10000000", "trainer.max_tokens", "less than or equal to 1000000"),
        ("evaluation.samples=10000000000", "evaluation.samples", "less than or equal to 1000000"),
        ("questions_per_image=1000000000", "questions_per_image", "less than or equal to 65536"),
        ("canonical.focal=1e12", "canonical.focal", "less than or equal to 100000"),
        ("canonical.crop={width: [1, 100000], height: [1, 2]}", "canonical.crop.width.1", "16384"),
        ("marker.outline=true", "marker.outline", "not true or false"),
        ("model.name=[]", "model.name", "valid string"),
        ('model.name="a\\nb"', "model.name", "match pattern"),
        ("model.lora.alpha=1e300", "model.lora.alpha", "less than or equal to 1000000"),
        ("model.lora.rank=1000000000", "model.lora.rank", "less than or equal to 65536"),
        ("model.tiny.width=1000000", "model.tiny.width", "less than or equal to 1024"),
        ("model.tiny={picture: 1000, patch: 1}", "model.tiny", "more than 40 times patch"),
        ("tasks.metric_depth=true", "tasks.metric_depth.weight", "not true or false"),
        ("tasks.metric_depth=1e300", "tasks.metric_depth.weight", "less than or equal to 1000000"),
        ("tasks.metric_depth.options=5", "tasks.metric_depth.options", "valid dictionary"),
        ("sources.rooms.weight=.inf", "sources.rooms.weight", "finite"),
        ("sources.rooms.held_out_rooms=1000000000", "sources.rooms.held_out_rooms", "less than or equal to 100000"),
        ("sources.rooms.settings.width=[1000000, 1000000]", "sources.rooms.settings.width", "give 2 to 4096"),
        ("sources.rooms.settings.rooms=1000000000000", "sources.rooms.settings.rooms", "out of bounds"),
        ("sources.rooms.settings.pitch=[-1000, 1]", "sources.rooms.settings.pitch", "give -90 to 90"),
        ("sources.rooms.settings.roll=[.nan, 1]", "sources.rooms.settings.roll.0", "finite"),
        ("sources.rooms.settings.room_height=[2, 1e300]", "sources.rooms.settings.room_height", "out of bounds"),
        ("sources.rooms.settings.objects=[0, 1000000000]", "sources.rooms.settings.objects", "give 0 to 1000"),
        ("sources.rooms.settings.noise=true", "sources.rooms.settings.noise", "not true or false"),
        ("sources.s={kind: shapes, settings: {height: [9, 1e9]}}", "sources.s.settings.height", "give 16 to 4096"),
        ("sources.m={path: a, held_out: .nan}", "sources.m.held_out", "finite"),
        ('output="a\\0b"', "output", "NUL"),
        ("output=~no_such_user/x", "output", "no user of this name"),
    ],
)
def test_values_beyond_all_sense_are_refused_with_their_key(quick: Path, override: str, key: str, message: str) -> None:
    told = faults(quick, override)
    assert f"{key}: " in told
    assert message in told


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"seed={'9' * 6000}", "6000 digits"),
        (f"seed={'[' * 3000}", "inside one another"),
        (f"{'x.' * 3000}y=1", "no recipe has sections this deep"),
        ("x" * 100_000, "not key=value"),
        (f"{'x' * 100_000}=1", "unknown key"),
        (f"seed={'x' * 100_000}", "valid integer"),
    ],
)
def test_enormous_overrides_are_told_in_few_words(quick: Path, override: str, message: str) -> None:
    told = faults(quick, override)
    assert message in told
    assert len(told) < 2000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{name: x}", "'name' cannot be set"),
        ("{metric: x}", "'metric' cannot be set"),
        ("{self: x}", "unknown option 'self'"),
        ("{margin: .inf}", "'margin' cannot be inf"),
        ("{margin: .nan}", "'margin' cannot be nan"),
        ("{margin: -1}", "'margin' cannot be -1"),
        ("{margin: 1e300}", "'margin' cannot be 1e+300"),
        ("{margin: [1]}", "'margin' cannot be [1]"),
        ("{decimals: 99999999}", "'decimals' cannot be 99999999"),
    ],
)
def test_options_of_tasks_have_bounds(quick: Path, options: str, message: str) -> None:
    recipe = load_recipe(quick, [f"tasks.relative_depth.options={options}"])
    with pytest.raises(UserError, match=re.escape(message)):
        make_tasks(recipe)


@pytest.mark.parametrize("speeds", ["[1]", "[a, b]", "[-1, 5]", "5", "[.nan, 1]"])
def test_options_that_are_lists_are_like_their_default(quick: Path, speeds: str) -> None:
    recipe = load_recipe(quick, [f"tasks.travel_time.options.speeds={speeds}"])
    with pytest.raises(UserError, match="'speeds' cannot be"):
        make_tasks(recipe)


def test_a_base_model_that_is_no_folder_is_refused(quick: Path) -> None:
    with pytest.raises(UserError, match=r"model\.name: .*is not a folder"):
        check_trainable(load_recipe(quick, [f"model.name={quick}"]))
    with pytest.raises(UserError, match=r"model\.name: /dev/zero is not a folder"):
        check_trainable(load_recipe(quick, ["model.name=/dev/zero"]))


def test_thousands_of_unknown_keys_are_counted(quick: Path) -> None:
    quick.write_text(quick.read_text() + "".join(f"unknown_{index}: 1\n" for index in range(4000)))
    message = faults(quick)
    assert "4000 faults" in message and "and 3980 more" in message


@pytest.mark.parametrize("name", ["x" * 5000, "x/" * 3000, "a\0b", "recipes", ".", "\ud800"])
def test_names_that_no_recipe_has(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no such recipe|a folder"):
        find_recipe(name)


def test_recipes_are_ordinary_files_of_text(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe" in faults(tmp_path / "pipe")
    assert "a device" in faults(Path("/dev/zero"))
    path.write_bytes(b"#" * 1_000_000)
    assert "too large" in faults(path)
    path.write_bytes("seed: 1".encode("utf-16"))
    assert "give a YAML file in UTF-8" in faults(path)
    path.write_bytes(b"seed: \0")
    assert "not valid YAML" in faults(path)


def test_a_byte_order_mark_does_no_harm(quick: Path) -> None:
    quick.write_text(quick.read_text(), encoding="utf-8-sig")
    assert load_recipe(quick).trainer.steps == 6


def test_faulty_files(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tasks: {a: 1\nsources: [")
    assert f"{path}, line 2: this is not valid YAML" in faults(path)
    path.write_text("")
    assert "empty" in faults(path)
    path.write_text("seed: 1\nseed: 2\n")
    assert f"{path}, line 1: this is not valid YAML" in faults(path)
    assert "'seed' comes twice" in faults(path)
    path.write_text("trainer: &x {steps: *x}")
    assert "holds itself" in faults(path)
    path.write_bytes("tasks: {metric_depth: 1}".encode("utf-16"))
    assert "cannot be read" in faults(path)
    assert "this is a folder" in faults(tmp_path)
    path.write_text("trainer: {steps: 3}")
    assert "tasks is missing" in faults(path)
    assert "sources is missing" in faults(path)


def test_unknown_recipe_suggests() -> None:
    with pytest.raises(UserError, match="no such recipe") as caught:
        find_recipe("recipes/depth_plus_distanc.yaml")
    assert "did you mean depth_plus_distance" in caught.value.remedy


def test_differences_name_both_values(quick: Path) -> None:
    old, new = load_recipe(quick), load_recipe(quick, ["trainer.steps=7", "canonical.focal=30"])
    assert [each.to_text() for each in differences(old, new)] == [
        "canonical.focal: 26.0 -> 30.0",
        "trainer.steps: 6 -> 7",
    ]


def test_every_field_can_be_written_as_yaml() -> None:
    recipe = Recipe.model_validate({"tasks": {"metric_depth": 1}, "sources": {"r": {"kind": "rooms"}}})
    assert Recipe.model_validate(yaml.safe_load(dump_recipe(recipe))) == recipe


def test_words_for_marks_need_marks(quick: Path) -> None:
    phases = "curriculum=[{share: 1, tasks: {metric_depth: 1}, point_words: true}]"
    assert load_recipe(quick, [phases]).curriculum[0].point_words
    assert "need reference: marker" in faults(quick, phases, "reference=text")


def test_a_setting_that_is_gone_is_passed_over(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = load_recipe(quick)
    text = quick.read_text()
    quick.write_text(text.replace("trainer: {", "trainer: {liger: false, "))
    assert load_recipe(quick) == expected
    assert capsys.readouterr().err == ""
    quick.write_text(text.replace("trainer: {", "trainer: {liger: true, "))
    assert load_recipe(quick) == expected
    line = next(number for number, each in enumerate(text.splitlines(), 1) if each.startswith("trainer:"))
    assert f"quick.yaml, line {line}: trainer.liger is not used any more" in capsys.readouterr().err
    for override in ("trainer.liger=true", "trainer={liger: true}"):
        assert "liger" not in dump_recipe(load_recipe(quick, [override]))
        assert f"command line, {override}: trainer.liger is not used any more" in capsys.readouterr().err
    with pytest.raises(UserError, match="unknown key"):
        load_recipe(quick, ["trainer.ligre=true"])


OVERRIDES = st.lists(
    st.sampled_from(
        [
            *("trainer.steps=50", "trainer.steps=7", "trainer.learning_rate=1e-5", "seed=9", "canonical.focal=30.5"),
            *("tasks.metric_depth=0.3", "tasks.metric_depth.weight=2", "tasks.camera_pose=1", "marker.size=3"),
            *("marker={shape: dot, size: 4}", "evaluation.samples=0", "sources.rooms.settings.rooms=9", "think=true"),
        ]
    ),
    max_size=5,
)


@settings(max_examples=40)
@given(OVERRIDES)
def test_overrides_that_are_given_again_change_nothing(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder, "recipe.yaml"), Path(folder, "copy.yaml")
        path.write_text(TINY)
        recipe = load_recipe(path, words)
        copy.write_text(dump_recipe(recipe))
        assert load_recipe(path, [*words, *words]) == recipe
        assert load_recipe(copy) == recipe
        assert load_recipe(copy, words) == recipe
