"""The routes file, and how its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routes import read_routes
from gateway.settings import GatewaySettings
from runtime.settings import SettingsError

GOOD = """\
default_model: classical
models:
  classical: classical:50051
  cellpose:
    - 127.0.0.1:1
    - "[::1]:2"
    - dns:///cellpose:3
evaluator: evaluator:50051
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "routes.yaml"
    path.write_text(text)
    return path


# One address may be written without a list.
def test_a_good_file(tmp_path: Path) -> None:
    routes = read_routes(write(tmp_path, GOOD))
    assert routes.models == {
        "classical": ("classical:50051",),
        "cellpose": ("127.0.0.1:1", "[::1]:2", "dns:///cellpose:3"),
    }
    assert routes.default_model == "classical"
    assert routes.evaluator == ("evaluator:50051",)


# The file that comes with the gateway is sound, and its default is a model that it has.
def test_the_file_that_comes_along() -> None:
    routes = read_routes(GatewaySettings.model_fields["gateway_routes"].default)
    assert routes.default_model in routes.models


# Each fault names its line and its field.
@pytest.mark.parametrize(
    ("fault", "line", "says"),
    [
        (("127.0.0.1:1", "127.0.0.1"), 5, "models.cellpose.0"),
        (("classical:50051\n  c", "http://classical:50051\n  c"), 3, "models.classical"),
        (("dns:///c", "dns://resolver/c"), 7, "models.cellpose.2"),
        (("dns:///cellpose", "dns:///[::1]"), 7, "models.cellpose.2"),
        (("evaluator: evaluator:50051", "evaluator: 7"), 8, "evaluator"),
        (("evaluator:", "evaluators:"), 8, "evaluators"),
        (("  classical:", "  class ical:"), 3, "models.class ical"),
        (("default_model: classical", "default_model: []"), 1, "default_model"),
        (("default_model: classical", "default_model: other"), 1, "'other' is none of the models"),
        (("default_model: classical\n", ""), 1, "default_model"),
        (("cellpose:", "evaluator:"), 1, "'evaluator' is the evaluator's name"),
        (('\n    - 127.0.0.1:1\n    - "[::1]:2"\n    - dns:///cellpose:3', " []"), 4, "models.cellpose"),
    ],
)
def test_faults_name_line_and_field(tmp_path: Path, fault: tuple[str, str], line: int, says: str) -> None:
    assert fault[0] in GOOD
    path = write(tmp_path, GOOD.replace(*fault))
    with pytest.raises(SettingsError) as wrong:
        read_routes(path)
    assert f"{path}:{line}: " in str(wrong.value)
    assert says in str(wrong.value)


# What is no YAML, or says something twice, is refused with the place.
@pytest.mark.parametrize(
    "text",
    ["models: [", GOOD + "evaluator: other:1\n", GOOD.replace("cellpose", "classical"), "", "- a\n", "7"],
)
def test_what_is_no_routes_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError, match=r"routes\.yaml"):
        read_routes(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error names the variable and the file."""
    with pytest.raises(SettingsError, match=r"HOOKE_GATEWAY_ROUTES: .*absent.yaml"):
        read_routes(tmp_path / "absent.yaml")


# A stack that knows its addresses only when it starts gives them by name; the rest stays.
def test_addresses_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "HOOKE_GATEWAY_ADDRESSES", "classical=127.0.0.1:7, classical=127.0.0.1:8,evaluator=127.0.0.1:9"
    )
    routes = read_routes(write(tmp_path, GOOD)).replaced(GatewaySettings().gateway_addresses)
    assert routes.models["classical"] == ("127.0.0.1:7", "127.0.0.1:8")
    assert routes.models["cellpose"] == ("127.0.0.1:1", "[::1]:2", "dns:///cellpose:3")
    assert routes.evaluator == ("127.0.0.1:9",)


# A name without a route is a mistake, not a new route.
def test_only_routes_can_be_replaced(tmp_path: Path) -> None:
    routes = read_routes(write(tmp_path, GOOD))
    with pytest.raises(SettingsError, match="HOOKE_GATEWAY_ADDRESSES: there is no route for clasical"):
        routes.replaced({"clasical": ("127.0.0.1:7",)})
