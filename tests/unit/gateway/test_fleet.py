"""What is said of services that are not there."""

from __future__ import annotations

from pathlib import Path

import yaml

from gateway.fleet import _PROFILES

COMPOSE_FILE = Path(__file__).parents[3] / "docker-compose.yml"


# Every profile that the gateway tells people to start is one, and starts the service of that name.
def test_profiles_exist() -> None:
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    profiles = {name: service.get("profiles", []) for name, service in services.items()}
    assert all(name in profiles[name] for name in _PROFILES)
