"""Settings from the environment."""

from __future__ import annotations

import pytest

from runtime.settings import ModelServerSettings, ServerSettings, SettingsError, load_settings


def test_every_setting_is_explained() -> None:
    """Each field has a docstring: meaning, unit, why this default."""
    for kind in (ServerSettings, ModelServerSettings):
        for name, field in kind.model_fields.items():
            assert field.description, name


def test_the_environment_is_read_with_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other variables are nobody's business; an empty one counts as unset."""
    monkeypatch.setenv("HOOKE_PORT", "1234")
    monkeypatch.setenv("PORT", "99")
    monkeypatch.setenv("HOOKE_GRACE_S", "")
    settings = load_settings(ServerSettings)
    assert settings.port == 1234
    assert settings.grace_s == ServerSettings.model_fields["grace_s"].default


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at the error mends all of them."""
    monkeypatch.setenv("HOOKE_PORT", "many")
    monkeypatch.setenv("HOOKE_MAX_QUEUE", "0")
    with pytest.raises(SettingsError) as refused:
        load_settings(ModelServerSettings)
    assert "HOOKE_PORT: " in str(refused.value)
    assert "HOOKE_MAX_QUEUE: " in str(refused.value)
    assert "many" not in str(refused.value)
