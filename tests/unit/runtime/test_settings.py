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
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "9900000 100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "50000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "9900000", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.shares": "1024"}, 8),
    ],
)
def test_a_container_uses_no_more_than_its_limit(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of the container counts, as whole cores, beside what the machine has; by either cgroups."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(settings, "_CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert settings.usable_cores() == cores
