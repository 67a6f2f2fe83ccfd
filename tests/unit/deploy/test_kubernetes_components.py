"""What single components of the manifests for Kubernetes promise."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from runtime.metrics import Metrics
from tests.unit.deploy.manifests import (
    EVERYTHING,
    FOLDER,
    SECRETS,
    build,
    matches,
    name_of,
    of_kind,
    servers,
    workloads,
)
from tests.unit.repo.test_topology import ROOT, SETTINGS

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


# Weights are fetched by the command that the service names, into the folder that it reads but cannot write.
def test_weights_are_fetched_where_they_are_read() -> None:
    running = {one.name: one for one in workloads(build(("gpu",)))}
    for name in ("sam", "cellpose", "llava"):
        kind = SETTINGS[name]
        fetch, server = running[f"fetch-{name}"], running[name]
        command = fetch.containers[0]["command"]
        default = kind.model_fields[f"{name}_checkpoint"].default
        assert command == ["python", "-m", f"services.{name}", "fetch", default, "--dir", "/weights"]
        assert fetch.document["spec"]["suspend"] is True
        assert fetch.containers[0]["image"] == server.containers[0]["image"]
        for workload, read_only in ((fetch, False), (server, True)):
            (volume,) = (one for one in workload.pod["volumes"] if one["name"] == "weights")
            (mount,) = (one for one in workload.containers[0]["volumeMounts"] if one["name"] == "weights")
            assert volume["persistentVolumeClaim"]["claimName"] == "weights"
            assert mount["mountPath"] == "/weights"
            assert mount.get("readOnly", False) is read_only


# A GPU for each model that runs on PyTorch, whose absence is an error, and which a new replica does not wait
# for while the old one holds it.
def test_models_get_a_gpu() -> None:
    running = {one.name: one for one in workloads(build(("gpu",)))}
    for name, workload in running.items():
        limits = workload.containers[0]["resources"]["limits"]
        assert ("nvidia.com/gpu" in limits) is (name in ("sam", "cellpose", "llava"))
        if "nvidia.com/gpu" in limits:
            assert {"name": "HOOKE_DEVICE", "value": "cuda:0"} in workload.containers[0]["env"]
            assert workload.document["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


# Kubernetes calls no rollout failed while a model may still load.
def test_models_have_time_to_load() -> None:
    for workload, container in servers(build(("gpu",))):
        if "nvidia.com/gpu" in container["resources"]["limits"]:
            startup = container["startupProbe"]
            longest_s = startup["periodSeconds"] * startup["failureThreshold"]
            assert workload.document["spec"]["progressDeadlineSeconds"] > longest_s


# What autoscalers ask for is measured: the metric that the adapter makes, of a series that services have.
def test_autoscalers_ask_for_what_is_measured() -> None:
    path = FOLDER / "components" / "autoscaling" / "hpa" / "prometheus-adapter.yaml"
    (rule,) = yaml.safe_load(path.read_text())["rules"]["custom"]
    metrics = Metrics().registry.collect()
    series = {f"{metric.name}_sum" for metric in metrics if metric.type == "histogram"}
    assert rule["seriesQuery"].partition("{")[0] in series
    made = rule["name"]["as"]
    hpa, keda = (build(components) for components in EVERYTHING)
    asked = {
        metric["pods"]["metric"]["name"]
        for one in of_kind(hpa, "HorizontalPodAutoscaler")
        for metric in one["spec"]["metrics"]
        if metric["type"] == "Pods"
    }
    assert asked == {made}
    for one in of_kind(keda, "ScaledObject"):
        for trigger in one["spec"]["triggers"]:
            if trigger["type"] == "prometheus":
                query = re.fullmatch(r"sum\(rate\((\w+)\{(.*)\}\[2m\]\)\)", trigger["metadata"]["query"])
                assert query
                assert query[1] in series
                assert query[2] == f'namespace="hooke",model="{name_of(one)}"'
    scaled = [
        sorted(name_of(one) for one in of_kind(x, "HorizontalPodAutoscaler", "ScaledObject"))
        for x in (hpa, keda)
    ]
    assert scaled[0] == scaled[1]


# Prometheus finds every server by the port that its metrics are on.
def test_every_server_is_monitored() -> None:
    documents = build(EVERYTHING[0])
    (monitor,) = of_kind(documents, "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    found = {
        name_of(one)
        for one in of_kind(documents, "Service")
        if matches(monitor["spec"]["selector"], one["metadata"]["labels"])
        and endpoint["port"] in {port["name"] for port in one["spec"]["ports"]}
    }
    assert found == SETTINGS.keys()


# Alerts and dashboards are those of deploy/observability, whose labels the monitor gives.
def test_alerts_and_dashboards_are_there() -> None:
    documents = build(EVERYTHING[0])
    (monitor,) = of_kind(documents, "ServiceMonitor")
    (rule,) = of_kind(documents, "PrometheusRule")
    (dashboards,) = (one for one in of_kind(documents, "ConfigMap") if name_of(one) == "hooke-dashboards")
    alerts = yaml.safe_load((ROOT / "deploy/observability/alerts.yml").read_text())
    assert rule["spec"] == alerts, "copy the groups into components/monitoring/alerts.yaml"
    files = (ROOT / "deploy/observability/dashboards").glob("*.json")
    assert dashboards["data"] == {file.name: file.read_text() for file in files}
    for service in of_kind(documents, "Service"):
        if "metrics" in {port["name"] for port in service["spec"]["ports"]}:
            assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "hooke"


# The documentation says how to make every secret, with its keys, and no other.
def test_secrets_are_documented() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    made = re.findall(r"^k create secret generic (\S+)((?: --from-file=\S+)+)", text, re.MULTILINE)
    assert {name: tuple(re.findall(r"=(\S+)", files)) for name, files in made} == SECRETS
