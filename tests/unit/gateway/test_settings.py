"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from runtime.settings import SettingsError, load_settings


# A mistake names the variable, before any port opens.
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HOOKE_GATEWAY_MAX_CALLS", "0", "HOOKE_GATEWAY_MAX_CALLS"),
        (
            "HOOKE_GATEWAY_ADDRESSES",
            "classical=no port",
            r"HOOKE_GATEWAY_ADDRESSES: classical\.0: ",
        ),
        ("HOOKE_GATEWAY_ADDRESSES", "classical:50051", "HOOKE_GATEWAY_ADDRESSES: .*is not name=host:port"),
        ("HOOKE_UPSTREAM_TLS_CA_FILE", "/does/not/exist", "/does/not/exist is not a file"),
        ("HOOKE_UPSTREAM_TLS_KEY_FILE", __file__, "HOOKE_UPSTREAM_TLS_CERTIFICATE_FILE"),
    ],
)
def test_faults_name_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says):
        load_settings(GatewaySettings)


# A client certificate makes no sense without TLS.
def test_a_client_certificate_needs_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CERTIFICATE", "KEY"):
        (tmp_path / name).touch()
        monkeypatch.setenv(f"HOOKE_UPSTREAM_TLS_{name}_FILE", str(tmp_path / name))
    with pytest.raises(SettingsError, match="HOOKE_UPSTREAM_TLS_CA_FILE"):
        load_settings(GatewaySettings)
