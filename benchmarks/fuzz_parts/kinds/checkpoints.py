"""The JSON files of a checkpoint."""

import json
from pathlib import Path
from random import Random

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import ASK, RUN, write_run
from benchmarks.fuzz_parts.mutations import dump_json, mutate_bytes, mutate_json, repeatedly

_FILES = (
    *("config.json", "config.json", "tokenizer_config.json", "tokenizer.json", "processor_config.json"),
    *("generation_config.json", "toolkit.json", "toolkit.json"),
)
_COMMANDS = (
    (*ASK, "--json", "--model", RUN),
    (*ASK, "--json", "--model", RUN),
    ("eval", RUN, "recipe.yaml", "--output", "out", "--json"),
    ("export", RUN, "exported"),
    ("data", "preview", "recipe.yaml", f"model.name={RUN}", "--count", "1"),
)


def _draw(sound: Path, rng: Random) -> Case:
    name = f"{RUN}/{rng.choice(_FILES)}"
    content = (sound / name).read_bytes()
    if rng.random() < 0.8:
        content = dump_json(repeatedly(mutate_json, json.loads(content), rng)).encode("utf-8", "surrogatepass")
    else:
        content = repeatedly(mutate_bytes, content, rng)
    return Case(rng.choice(_COMMANDS), {name: content})


KIND = Kind("checkpoints", write_run, _draw, _COMMANDS)
