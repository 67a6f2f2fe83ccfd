"""Settings of the OpenAI proxy, and its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime.settings import SettingsError, load_settings, secret_of
from services.openai.settings import OpenaiSettings

KEY = "sk-a-key"


# The default model comes first and stands there once; lists are written with commas.
def test_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OpenaiSettings().provider.offered == (OpenaiSettings().openai_model,)
    monkeypatch.setenv("HOOKE_OPENAI_MODEL", "gpt-4o")
    monkeypatch.setenv("HOOKE_OPENAI_MODELS", "gpt-6-sol, gpt-4o,")
    assert load_settings(OpenaiSettings).provider.offered == ("gpt-4o", "gpt-6-sol")


# Patterns say which models can be told how to choose their words.
@pytest.mark.parametrize(
    ("patterns", "model", "takes"),
    [
        ("gpt-4*", "gpt-4o", True),
        ("gpt-4*", "gpt-6-luna", False),
        ("*", "llava:7b", True),
        ("", "gpt-4o", False),
    ],
)
def test_sampling_models(patterns: str, model: str, takes: bool) -> None:
    settings = OpenaiSettings.model_validate({"openai_sampling_models": patterns})
    assert settings.provider.takes_sampling(model) is takes


# OpenAI is told by its host; a slash at the end changes nothing.
@pytest.mark.parametrize(
    ("url", "from_vendor"),
    [("https://api.openai.com/v1/", True), ("http://localhost:8000/v1", False)],
)
def test_addresses(url: str, from_vendor: bool) -> None:
    settings = OpenaiSettings.model_validate({"openai_base_url": url})
    assert settings.from_vendor is from_vendor
    assert not settings.openai_base_url.endswith("/")


# What is no address, or holds a password, is refused at the start by the name of the setting.
@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host/v1", "https://user:word@host/v1", "https:///v1"]
)
def test_wrong_addresses(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOOKE_OPENAI_BASE_URL", url)
    with pytest.raises(SettingsError, match="HOOKE_OPENAI_BASE_URL"):
        load_settings(OpenaiSettings)


# The key stands in the variable or in the file that another one names, with or without a line's end.
def test_keys(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    for value, path in ((SecretStr(KEY), None), (SecretStr(f" {KEY}\n"), None), (None, file)):
        secret = secret_of("OPENAI_API_KEY", value, path)
        assert secret is not None
        assert secret.get_secret_value() == KEY
    file.write_text("\n", encoding="utf-8")
    assert secret_of("OPENAI_API_KEY", None, file) is None  # as for a server that wants no key
    assert secret_of("OPENAI_API_KEY", None, None) is None


# A file that is not there is named, as are two keys at once; no message shows a key.
def test_wrong_key_files(tmp_path: Path) -> None:
    (tmp_path / "full").write_text(KEY, encoding="utf-8")
    for value, name in ((None, "none"), (SecretStr(KEY), "full")):
        with pytest.raises(SettingsError, match="HOOKE_OPENAI_API_KEY_FILE") as caught:
            secret_of("OPENAI_API_KEY", value, tmp_path / name)
        assert KEY not in str(caught.value)


# What no header takes is no key: that shows at the start, by the name of the setting, and not in each answer.
@pytest.mark.parametrize("text", [f"{KEY}\n{KEY}", f"{KEY} {KEY}", f"{KEY}\u2026", f"{KEY}\x00"])
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    for value, path in ((SecretStr(text), None), (None, file)):
        with pytest.raises(SettingsError, match="HOOKE_OPENAI_API_KEY") as caught:
            secret_of("OPENAI_API_KEY", value, path)
        assert KEY not in str(caught.value)


# Settings never show the key, also when all of them are printed.
def test_settings_hide_the_key() -> None:
    assert KEY not in repr(OpenaiSettings.model_validate({"openai_api_key": KEY}))
