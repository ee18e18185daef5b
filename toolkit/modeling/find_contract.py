"""Finding the contract of a model: in its folder, among those of published models, or where ``--like`` says.

A model on a server or a plain model folder does not say how it wants to be asked. ``--like`` does: it names a
published model, a checkpoint whose contract also holds for the model, or ``stock``.
"""

import difflib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.config.build_presenter import make_presenter, make_tasks
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, Contract, open_contract
from toolkit.modeling.fetch_model import fetch_model
from toolkit.modeling.published_contract import (
    load_published,
    published_name_of,
    published_names,
    similar_published_name,
)
from toolkit.modeling.vet_model import CONFIG
from toolkit.utils.progress import err, is_first_process

if TYPE_CHECKING:
    from toolkit.modeling.remote.address import RemoteModel

STOCK = "stock"
"""The name of the contract for models that were not trained for these questions."""

_PAPER_RECIPE, _PAPER_CANVAS = "depthlm_qwen2_5_vl_3b", Canvas(multiple=28)
_ALL_TASKS = "all_tasks"
_MISSPELT = 0.85  # how alike names are of which one is taken for the other, misspelt (difflib)
_STOCK_TOKENS = 256  # stock models do not come to the point at once
_STOCK_CAVEAT = (
    "this model is asked as a stock model, which was never trained for such questions. Of those, Qwen2.5-VL-7B reaches "
    "δ1 .118, and GPT-5 .370; the best constant answer reaches .186. δ1 is the share of distances within a factor of "
    "1.25, as the mean of eight data sets"
)


def stock_contract() -> Contract:
    """The contract for a model that was not trained for these questions: the paper's settings, and all tasks."""
    recipe = load_recipe(_PAPER_RECIPE).model_copy(update={"tasks": load_recipe(_ALL_TASKS).tasks})
    tasks = {task.name: task for task, _ in make_tasks(recipe)}
    presenter = make_presenter(recipe, _PAPER_CANVAS).uncropped
    return Contract(f"recipe {_PAPER_RECIPE}", recipe, presenter, tasks, _STOCK_TOKENS, caveat=_STOCK_CAVEAT)


def contract_named(like: str | Path) -> Contract:
    """The contract that ``--like`` names.

    Args:
        like: ``stock``, the name of a published model, or a checkpoint: its folder, ``tiny``, or its id on the hub.

    Raises:
        UserError: If there is no such contract, if it cannot be used yet, or if the checkpoint brings Python files that
            are not trusted.
    """
    if str(like) == STOCK:
        return stock_contract()
    if (name := published_name_of(like)) and not Path(like, CONTRACT).is_file():
        return load_published(name).contract()
    misspelt = not Path(like).exists() and difflib.get_close_matches(str(like), published_names(), cutoff=_MISSPELT)
    folder = Path(like) if misspelt else fetch_model(like, weights=False)
    if not folder.exists():
        raise UserError(
            f"--like {like}: there is no such contract",
            remedy=f"give {STOCK}, the folder of a checkpoint, or one of {', '.join(published_names())}",
        )
    return open_contract(folder)


def lent_contract(folder: Path, like: str | Path | None = None) -> Contract | None:
    """Find out how the model in a folder is asked, if it is not a checkpoint of this toolkit.

    Args:
        folder: The folder.
        like: What says how the model is asked; see ``contract_named``. By default, only published models are known.

    Returns:
        The contract; None for a checkpoint, which says itself how it is asked, and for what is no model at all.

    Raises:
        UserError: If nothing says how the model is asked, or if a checkpoint is given with ``like``.
    """
    if like is not None:
        if (folder / CONTRACT).is_file():
            raise UserError(
                f"{folder}: --like is for models without a contract of their own",
                remedy="leave it out: a checkpoint says itself how it is asked",
            )
        return contract_named(like)
    if not is_stock(folder):
        return None
    if name := published_name_of(folder):
        return load_published(name).contract()
    raise _no_contract(folder)


def is_stock(folder: Path) -> bool:
    """Whether a folder holds a model that this toolkit has neither trained nor begun to train."""
    run = folder.resolve().parent.parent  # of a training/checkpoint-N
    own = (folder / CONTRACT, folder / RECIPE, run / RECIPE)
    return (folder / CONFIG).is_file() and not any(path.exists() for path in own)


def contract_for_remote(remote: "RemoteModel", like: str | Path | None = None) -> Contract:
    """Find out how a model on a server is asked.

    Args:
        remote: The model.
        like: What says how the model is asked; see ``contract_named``. By default, it is the folder that the model is
            named after, if there is one on this machine, as when ``transformers serve`` serves a checkpoint; or the
            published model of this name. Otherwise, the settings of the paper and all built-in tasks are used.

    Raises:
        UserError: If there is no such contract, or a checkpoint brings Python files that are not trusted.
    """
    if like is not None:
        return contract_named(like)
    if Path(remote.name, CONTRACT).is_file():
        return open_contract(Path(remote.name))
    if name := published_name_of(remote.name):
        return load_published(name).contract()
    return stock_contract()


def print_licence(contract: Contract) -> None:
    """Print the licence of a published model on stderr, once in each process that prints."""
    if contract.licence and is_first_process():
        _print_once(f"{contract.origin}: {contract.licence}")


@cache
def _print_once(text: str) -> None:
    err.note(text)


def _no_contract(folder: Path) -> UserError:
    """The error for a plain model: nothing says how it is asked."""
    similar = similar_published_name(folder)
    copy = f"if it is a copy of {similar}: --like {similar}; otherwise " if similar else ""
    return UserError(
        f"{folder}: this is no checkpoint of this toolkit",
        f"it is a plain model, or half a copy: without {CONTRACT}, how it wants to be asked is not known",
        f"{copy}--like {STOCK} asks it with the paper's settings, --like FOLDER as another checkpoint, and --like NAME "
        "as one of `toolkit models`",
    )
