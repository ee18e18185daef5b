"""Names and addresses of models on servers, and which key a server is given."""

import pytest

from toolkit.errors import UserError
from toolkit.modeling.remote.address import ApiKey, RemoteModel, find_key, parse_remote

SECRET = "sk-test-51c0ffee"
OPENAI = RemoteModel("gpt", "https://api.openai.com/v1")
HERE = RemoteModel("tiny", "http://localhost:8000/v1")
FAR = RemoteModel("tiny", "http://node7.example:8000/v1")


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("openai:gpt-4o@https://api.openai.com/v1", "gpt-4o", "https://api.openai.com/v1"),
        (
            "openai:Qwen/Qwen2.5-VL-3B-Instruct@http://localhost:8000/v1/",
            "Qwen/Qwen2.5-VL-3B-Instruct",
            "http://localhost:8000/v1",
        ),
        ("openai:qwen2.5vl:3b@http://127.0.0.1:11434/v1", "qwen2.5vl:3b", "http://127.0.0.1:11434/v1"),
        ("openai:/runs/mine@main@http://[::1]:8000/v1", "/runs/mine@main", "http://[::1]:8000/v1"),
        ("openai:a@HTTPS://host/deep/path", "a", "HTTPS://host/deep/path"),
    ],
)
def test_a_name_and_an_address(text: str, name: str, url: str) -> None:
    remote = parse_remote(text)
    assert remote == RemoteModel(name, url)
    assert parse_remote(str(remote)) == remote


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("openai:gpt-4o", "address of the server is missing"),
        ("openai:gpt-4o@localhost:8000/v1", "begin with http"),
        ("openai:@http://localhost:8000/v1", "NAME"),
        ("openai:http://localhost:8000/v1", "NAME"),
        ("openai:a b@http://localhost/v1", "white space"),
        ("gpt-4o@http://localhost/v1", "begin with openai:"),
        ("openai:a@http:///v1", ""),
        ("openai:a@http://host:99999/v1", ""),
        ("openai:a@http://[1/v1", ""),
        ("openai:a@http://a..b/v1", ""),
        ("openai:a@http://./v1", ""),
        (f"openai:a@http://{'a' * 64}/v1", ""),
        ("openai:a@http://localhost/v1\x7f", ""),
    ],
)
def test_what_is_no_remote_model(text: str, cause: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_remote(text)
    assert cause in caught.value.cause
    assert "openai:Qwen/Qwen2.5-VL-3B-Instruct@http://localhost:8000/v1" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        f"openai:a@http://me:{SECRET}@host/v1",
        f"openai:a@http://{SECRET}@host/v1",
        f"openai:a@https://host/v1?key={SECRET}",
        f"openai:a@https://host/v1#{SECRET}",
        f"openai:http://me:{SECRET}@host/v1",
        f"openai:a@me:{SECRET}@host/v1",
        f"openai:a@http://me:{SECRET}@host:99999/v1",
    ],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_remote(text)
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("own", "shared", "remote", "sent", "withheld"),
    [
        (None, SECRET, OPENAI, SECRET, False),
        (None, SECRET, HERE, SECRET, False),
        (None, SECRET, RemoteModel("tiny", "http://127.0.0.1:1/v1"), SECRET, False),
        (None, SECRET, RemoteModel("tiny", "http://[::1]:1/v1"), SECRET, False),
        (None, SECRET, RemoteModel("tiny", "http://0.0.0.0:8000/v1"), SECRET, False),
        (None, SECRET, FAR, "", True),
        (None, SECRET, RemoteModel("tiny", "http://localhost.example/v1"), "", True),
        (None, SECRET, RemoteModel("tiny", "http://10.0.0.7/v1"), "", True),
        ("mine", SECRET, FAR, "mine", False),
        ("mine", SECRET, OPENAI, "mine", False),
        ("", f"{SECRET}\n", OPENAI, SECRET, False),
        (None, None, OPENAI, "", False),
        (None, None, FAR, "", False),
    ],
)
def test_which_key_is_sent(
    monkeypatch: pytest.MonkeyPatch, own: str | None, shared: str | None, remote: RemoteModel, sent: str, withheld: bool
) -> None:
    for name, value in (("TOOLKIT_API_KEY", own), ("OPENAI_API_KEY", shared)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    key = find_key(remote)
    assert key.value.get_secret_value() == sent
    assert key.withheld == withheld
    assert not sent or sent not in repr(key) + str(key)


@pytest.mark.parametrize("value", [f"{SECRET}\nX", f"{SECRET}é", f"{SECRET}\x00"])
def test_a_key_that_is_none_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    if "\x00" in value:
        monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": value})
    else:
        monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(UserError, match="OPENAI_API_KEY holds no key") as caught:
        find_key(OPENAI)
    assert SECRET not in str(caught.value)


def test_a_text_without_the_key() -> None:
    from pydantic import SecretStr

    assert ApiKey(SecretStr(SECRET)).hide(f"Incorrect API key: {SECRET}.") == "Incorrect API key: [key]."
    assert ApiKey().hide("as it is") == "as it is"
