from __future__ import annotations

import os
from pathlib import Path

import pytest

from evaluator.settings import EvaluatorSettings
from runtime.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings of Hooke, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("HOOKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


# Without any setting the evaluator asks a gateway on the same machine, listens beside it, and reads no data.
def test_defaults() -> None:
    settings = load_settings(EvaluatorSettings)
    assert settings.evaluator_gateway == "localhost:50051"
    assert (settings.host, settings.port) == ("127.0.0.1", 50061)
    assert settings.evaluator_runs_dir == Path(".hooke/runs")
    assert settings.evaluator_data_root is None


# Each setting is read from the variable of its name.
def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOOKE_EVALUATOR_GATEWAY", "gateway:1")
    monkeypatch.setenv("HOOKE_EVALUATOR_RUNS_DIR", "/runs")
    monkeypatch.setenv("HOOKE_EVALUATOR_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("HOOKE_EVALUATOR_MAX_RUNS", "3")
    settings = load_settings(EvaluatorSettings)
    assert settings.evaluator_gateway == "gateway:1"
    assert settings.evaluator_runs_dir == Path("/runs")
    assert settings.evaluator_data_root == tmp_path
    assert settings.evaluator_max_runs == 3


# A value that cannot work is refused with the name of its variable.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOOKE_EVALUATOR_DATA_ROOT", "/nowhere/at/all"),
        ("HOOKE_EVALUATOR_PATIENCE_S", "-1"),
        ("HOOKE_EVALUATOR_PATIENCE_S", "inf"),
        ("HOOKE_EVALUATOR_CALL_TIMEOUT_S", "0"),
        ("HOOKE_EVALUATOR_MAX_IN_FLIGHT", "0"),
        ("HOOKE_EVALUATOR_SAMPLES_IN_MEMORY", "many"),
        ("HOOKE_EVALUATOR_GATEWAY_KEY_FILE", "key.pem"),
        ("HOOKE_EVALUATOR_GATEWAY_CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_faulty_values(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings(EvaluatorSettings)


# The URL of the database comes from its variable or from a file, and no text of the settings shows it.
def test_database_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings(EvaluatorSettings).database is None
    url = "postgresql://hooke:secret@db/hooke"
    monkeypatch.setenv("HOOKE_DATABASE_URL", url)
    settings = load_settings(EvaluatorSettings)
    assert settings.database is not None
    assert settings.database.get_secret_value() == url
    assert "secret@" not in repr(settings) + str(settings.model_dump())
    (tmp_path / "url").write_text(url + "\n")
    monkeypatch.setenv("HOOKE_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(SettingsError, match="HOOKE_DATABASE_URL is set too") as caught:
        load_settings(EvaluatorSettings)
    assert "secret@" not in repr(caught.value)
    monkeypatch.delenv("HOOKE_DATABASE_URL")
    assert load_settings(EvaluatorSettings).database == settings.database
