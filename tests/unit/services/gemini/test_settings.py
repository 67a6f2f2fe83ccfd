"""Settings of the Gemini proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.settings import SettingsError, load_settings
from services.gemini.settings import GeminiSettings
from tests.fakes.gemini import KEY


# The key comes from a file as well as from the environment, and stands in no text of the settings.
@pytest.mark.parametrize("source", ["variable", "file"])
def test_key(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "file":
        (tmp_path / "key").write_text(f"{KEY}\n")
        monkeypatch.setenv("HOOKE_GEMINI_API_KEY_FILE", str(tmp_path / "key"))
    else:
        monkeypatch.setenv("HOOKE_GEMINI_API_KEY", KEY)
    settings = load_settings(GeminiSettings)
    assert settings.provider.key is not None
    assert settings.provider.key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


# Without a key there are settings all the same: the service starts and says what is missing.
def test_no_key() -> None:
    assert GeminiSettings().provider.key is None


# A file that is named has to hold a key, and the error names the variable.
def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKE_GEMINI_API_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="HOOKE_GEMINI_API_KEY_FILE"):
        load_settings(GeminiSettings)


# The default model may always be asked, also where the list does not repeat it.
def test_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKE_GEMINI_MODEL", "gemini-x")
    monkeypatch.setenv("HOOKE_GEMINI_MODELS", "gemini-y, gemini-z,")
    assert load_settings(GeminiSettings).provider.offered == ("gemini-x", "gemini-y", "gemini-z")


# An address with credentials, a path instead of a version, and no address at all are refused at the start.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GEMINI_BASE_URL", "https://user:secret@proxy.example"),
        ("GEMINI_BASE_URL", "https://proxy.example/?key=secret"),
        ("GEMINI_BASE_URL", "proxy.example"),
        ("GEMINI_API_VERSION", "v1/models"),
        ("GEMINI_SAFETY_THRESHOLD", "never"),
    ],
)
def test_mistakes(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HOOKE_{name}", value)
    with pytest.raises(SettingsError, match=f"HOOKE_{name}") as caught:
        load_settings(GeminiSettings)
    assert "secret" not in str(caught.value)
