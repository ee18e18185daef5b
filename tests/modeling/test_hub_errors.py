"""What is said of faults that have nothing to do with one model: the disk, the folder of the cache, foreign replies."""

import errno

import pytest
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from tests.support.hub_server import HubServer
from toolkit.modeling.hub_errors import download_error, upload_error

CASES = {
    "disk": (OSError(errno.ENOSPC, "No space left on device"), "the disk is full", "HF_HOME"),
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full", "HF_HOME"),
    "folder": (PermissionError(errno.EACCES, "Permission denied", "/c/x"), "/c/x: Permission denied", "HF_HOME"),
    "line": (HTTPError("[Errno 111] Connection refused"), "cannot be reached: [Errno 111]", "check the network"),
    "reply": (ValueError("Expecting value: line 1\nand more"), "Expecting value: line 1", "hf download ada/tiny"),
    "silence": (RuntimeError(), "RuntimeError", "hf download ada/tiny"),
    "offline": (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE"),
    "control": (ValueError("\x1b[31mred"), "\\x1b[31mred", "hf download ada/tiny"),
}


@pytest.mark.parametrize("case", CASES)
def test_other_faults(case: str, hub: HubServer) -> None:
    error, said, remedy = CASES[case]
    found = download_error("ada/tiny", error)
    assert "ada/tiny" in found.problem and said in found.cause and remedy in found.remedy
    assert said in upload_error("ada/tiny", error).cause


def test_what_lies_behind_an_empty_cache_is_said(hub: HubServer) -> None:
    outer = LocalEntryNotFoundError("not in the cache")
    outer.__cause__ = HTTPError("timed out")
    assert "timed out" in download_error("ada/tiny", outer).cause
    assert "not in the cache" in download_error("ada/tiny", LocalEntryNotFoundError("not in the cache")).cause


def test_a_revision_stands_in_the_command_by_hand(hub: HubServer) -> None:
    assert "hf download ada/tiny --revision v1 --local-dir" in download_error("ada/tiny@v1", ValueError("x")).remedy
