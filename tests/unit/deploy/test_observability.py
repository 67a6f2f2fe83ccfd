"""Prometheus' configuration, the alerts and the dashboards: valid, true to the code, and explained."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric

from deploy.compose import read_topology
from deploy.supervisor import COMPOSE_FILE
from evaluator.telemetry import EvaluatorMetrics
from gateway.metrics import GatewayMetrics
from hooke.errors import Reason
from runtime.metrics import Metrics

ROOT = COMPOSE_FILE.parent
FOLDER = ROOT / "deploy" / "observability"
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
ALERT_TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
DASHBOARDS = {
    path.name: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
OF_PROMETHEUS = {"up", "ALERTS"}
"""Metrics that Prometheus makes itself."""


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: the Debian package prometheus has it")
    done = subprocess.run([program, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def registry() -> CollectorRegistry:
    """Every metric that a process of Hooke has."""
    made = Metrics().registry
    GatewayMetrics(made)
    EvaluatorMetrics(made).watch_calls(dict)
    return made


def families() -> list[Metric]:
    """The same, as they are shown."""
    return list(registry().collect())


def metric_names() -> set[str]:
    """The same, as series."""
    names: set[str] = set()
    for family in families():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names.update(family.name + suffix for suffix in suffixes)
    return names


def expressions() -> Iterator[tuple[str, str]]:
    """Every query, with where it stands."""
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]
        for variable in dashboard["templating"]["list"]:
            yield f"{name}: variable {variable['name']}", variable["definition"]


# Prometheus takes its configuration, and the rules in it.
def test_configuration_is_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


# Every alert fires when it should, says then what a person reads, and is silent before.
def test_alerts_fire_and_do_not() -> None:
    promtool("test", "rules", "alerts_test.yml")


# No alert is without such a test: a moment at which it is silent, and one at which it fires.
@pytest.mark.parametrize("name", [rule["alert"] for rule in ALERTS])
def test_every_alert_is_tested(name: str) -> None:
    moments = [
        moment
        for test in ALERT_TESTS
        for moment in test["alert_rule_test"]
        if moment["alertname"] == name and test["name"] == name
    ]
    assert {bool(moment.get("exp_alerts")) for moment in moments} == {True, False}


# Prometheus asks every service of the compose file, at the port where its metrics are.
def test_every_service_is_scraped() -> None:
    (scrape,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (names,) = scrape["dns_sd_configs"]
    services = read_topology(COMPOSE_FILE, {}).services
    assert set(names["names"]) == set(services)
    for service in services.values():
        assert service.environment["HOOKE_METRICS_PORT"] == str(names["port"])


# What the containers of Prometheus and Grafana mount is there.
def test_mounts() -> None:
    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    for name in ("prometheus", "grafana"):
        for volume in document[name]["volumes"]:
            source, _, mode = volume.partition(":")
            assert not source.startswith(".") or ((ROOT / source).exists() and mode.endswith(":ro"))


# A query asks for metrics that some process has; a renamed metric would leave it empty for ever.
def test_metrics_exist() -> None:
    known = metric_names() | OF_PROMETHEUS
    for place, expression in expressions():
        without_labels = re.sub(r"\{[^}]*\}|\b(?:by|on|group_left)\b\s*\([^)]*\)", "", expression)
        asked = set(re.findall(r"\b(?:hooke_|grpc_|process_|up\b|ALERTS)\w*", without_labels))
        assert asked, place
        assert asked <= known, place


# A query chooses by labels that its metrics have, and by values that they can have: no other matches.
def test_labels_exist() -> None:
    collectors = registry()._names_to_collectors
    reasons = {"", "OK", "CANCELLED", *Reason}
    values = {"code": {code.name for code in grpc.StatusCode}, "reason": reasons, "outcome": None}
    for place, expression in expressions():
        for name, selectors in re.findall(r"\b((?:hooke|grpc)_\w+)\{([^}]*)\}", expression):
            labels = set(getattr(collectors[name], "_labelnames", ("model",)))
            for label, operator, text in re.findall(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"', selectors):
                assert label in {*labels, "job", "service", "le"}, f"{place}: {name} has no {label}"
                allowed = values.get(label)
                assert operator == "=~" or "|" not in text, place
                assert allowed is None or set(text.split("|")) <= allowed, place


# Every metric of Hooke's own is looked at by an alert or on a dashboard; one that nobody looks at is no use.
def test_metrics_are_looked_at() -> None:
    text = " ".join(expression for _, expression in expressions())
    names = {family.name for family in families() if family.name.startswith("hooke_")}
    assert {name for name in names if name not in text} == set()


# Every alert says how grave it is, waits before it fires, and names a part of the page for operators.
@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_are_explained(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["for"]
    assert rule["annotations"]["summary"].endswith(".")


# The page for operators explains every alert by its name, and none that there is not.
def test_alerts_are_listed() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    listed = re.findall(r"^\| `([A-Z]\w+)` \| (critical|warning) \|", page, re.MULTILINE)
    assert sorted(listed) == sorted((rule["alert"], rule["labels"]["severity"]) for rule in ALERTS)


# It says what each metric of Hooke's own is good for, and names none that there is not. `..._x` is one that
# ends so.
def test_metrics_are_explained() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    told = set(re.findall(r"`(hooke_[a-z_]+|\.{3}_[a-z_]+)`", page))
    suffixes = {"counter": "_total"}
    names = {family.name + suffixes.get(family.type, "") for family in families()}
    own = {name for name in names if name.startswith("hooke_")}

    def means(word: str, name: str) -> bool:
        return name.endswith(word.removeprefix("...")) if word.startswith("...") else name == word

    assert {name for name in own if not any(means(word, name) for word in told)} == set()
    assert {word for word in told if not any(means(word, name) for name in own)} == set()
