"""Tests of ``toolkit.errors``: the words that a user reads."""

import pickle

import pytest

from toolkit.errors import UserError, UserErrors, did_you_mean, raise_all, wrapped


def test_an_error_reads_problem_cause_remedy() -> None:
    assert (
        str(UserError("no depth", "it is missing", "add it")) == "no depth\n  because: it is missing\n  try:     add it"
    )
    assert str(UserError("no depth", remedy="add it")) == "no depth\n  try:     add it"
    assert str(UserError("no depth", "it is missing")) == "no depth\n  because: it is missing"
    assert str(UserError("no depth")) == "no depth"


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(UserErrors) as caught:
        raise_all("a.jsonl", [UserError("first", remedy="mend it"), UserError("second")])
    assert str(caught.value) == "a.jsonl: 2 faults\n- first\n  try:     mend it\n- second"
    assert [fault.problem for fault in caught.value.faults] == ["first", "second"]
    assert isinstance(caught.value, UserError)
    assert str(UserErrors("a", [UserError("first")])) == "a: 1 fault\n- first"


def test_no_fault_raises_nothing() -> None:
    raise_all("a.jsonl", [])


def test_many_faults_are_counted() -> None:
    lines = str(UserErrors("a", [UserError(f"number {index}") for index in range(25)])).splitlines()
    assert lines[0] == "a: 25 faults" and lines[1:21] == [f"- number {index}" for index in range(20)]
    assert lines[21:] == ["- and 5 more"]
    assert str(UserErrors("a", [UserError("x"), UserError("y")], shown=1)) == "a: 2 faults\n- x\n- and 1 more"


def test_errors_survive_the_way_back_from_a_worker() -> None:
    one = UserError("no depth", "it is missing", "add it")
    many = UserErrors("a", [one, UserError("second")], shown=1)
    assert str(pickle.loads(pickle.dumps(one))) == str(one)
    assert str(pickle.loads(pickle.dumps(many))) == str(many)
    assert len(pickle.loads(pickle.dumps(many)).faults) == 2


def test_did_you_mean() -> None:
    assert did_you_mean("metric_dept", ["metric_depth", "travel_time"]).startswith(
        "did you mean metric_depth? (known: "
    )
    assert did_you_mean("zzz", ["b", "a"]) == "use one of: a, b"
    assert did_you_mean("zzz", []) == "use one of: none are known"
    assert did_you_mean("color", ["colors", "colour"]).startswith("did you mean colour or colors?")


def test_a_message_in_a_narrow_terminal() -> None:
    error = UserError("a/long/path/that/is/not/cut.png: it is bad", "of this and that and more", "do this, then that")
    assert wrapped(f"error: {error}", 30).splitlines() == [
        "error:",
        "       a/long/path/that/is/not/cut.png:",
        "       it is bad",
        "  because: of this and that",
        "           and more",
        "  try:     do this, then that",
    ]
    faults = UserErrors("a.jsonl", [UserError("one two three four")])
    assert wrapped(str(faults), 12).splitlines() == ["a.jsonl: 1", "fault", "- one two", "  three four"]
