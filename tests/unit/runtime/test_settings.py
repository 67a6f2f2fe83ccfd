"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import settings
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


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("9900000 100000", 8)]
)
def test_a_container_uses_no_more_than_its_limit(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of the container counts, as whole cores, beside what the machine has."""
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(settings, "_QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert settings.usable_cores() == cores
    (tmp_path / "cpu.max").unlink()
    assert settings.usable_cores() == 8
