"""The manifests for Kubernetes against Kubernetes' own schemas, and against the processes that they start."""

from __future__ import annotations

import functools
import json
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.unit.deploy.manifests import (
    COMBINATIONS,
    COMPONENTS,
    EVERYTHING,
    FOLDER,
    OVERLAYS,
    SECRETS,
    Combination,
    Document,
    Workload,
    build,
    matches,
    name_of,
    of_kind,
    servers,
    workloads,
)
from tests.unit.repo.test_topology import ROOT

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

MINORS = sorted(
    {kubernetes_validate.utils.major_minor(one) for one in kubernetes_validate.utils.all_versions()},
    key=lambda minor: [int(part) for part in minor.split(".")],
)[-3:]
"""The last three minor versions of Kubernetes whose schemas are there."""

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
POD = {"type": "object", "required": ["metadata", "spec"]}
START = {"type": "object", "additionalProperties": TEXT}


def exactly(properties: Mapping[str, Any], *required: str) -> Document:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


CUSTOM = {
    "RayJob": {
        "entrypoint": TEXT,
        "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        "shutdownAfterJobFinishes": {"type": "boolean"},
        "ttlSecondsAfterFinished": NUMBER,
        "backoffLimit": NUMBER,
        "rayClusterSpec": exactly(
            {
                "rayVersion": TEXT,
                "headGroupSpec": exactly(
                    {"rayStartParams": START, "template": POD}, "rayStartParams", "template"
                ),
                "workerGroupSpecs": {
                    "type": "array",
                    "items": exactly(
                        {
                            "groupName": TEXT,
                            "replicas": NUMBER,
                            "minReplicas": NUMBER,
                            "maxReplicas": NUMBER,
                            "rayStartParams": START,
                            "template": POD,
                        },
                        *("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
                    ),
                },
            },
            "headGroupSpec",
        ),
    },
    "PrometheusRule": {"groups": {"type": "array"}},
    "ServiceMonitor": {
        "jobLabel": TEXT,
        "selector": {"type": "object", "required": ["matchLabels"]},
        "endpoints": {
            "type": "array",
            "items": exactly({"port": TEXT, "interval": TEXT}, "port"),
        },
    },
    "ScaledObject": {
        "scaleTargetRef": exactly({"name": TEXT}, "name"),
        "minReplicaCount": NUMBER,
        "maxReplicaCount": NUMBER,
        "cooldownPeriod": NUMBER,
        "triggers": {
            "type": "array",
            "items": exactly(
                {
                    "type": {"enum": ["prometheus", "cpu"]},
                    "metricType": {"enum": ["AverageValue", "Utilization"]},
                    "metadata": {"type": "object", "additionalProperties": TEXT},
                },
                *("type", "metadata"),
            ),
        },
    },
}
"""Kinds that operators bring along, whose schemas Kubernetes does not have: the fields that are used here, as
the documentation of these operators has them."""

each_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids="+".join)
each_deployment = pytest.mark.parametrize("what", [*OVERLAYS, *EVERYTHING, ()], ids=str)


# Every folder of components is among those that the tests combine, and every overlay keeps their order.
def test_every_component_and_overlay_is_tested() -> None:
    folders = {
        str(path.parent.relative_to(FOLDER / "components"))
        for path in (FOLDER / "components").rglob("kustomization.yaml")
        if yaml.safe_load(path.read_text())["kind"] == "Component"
    }
    assert folders == COMPONENTS.keys()
    assert {path.parent.name for path in (FOLDER / "overlays").glob("*/kustomization.yaml")} == set(OVERLAYS)
    order = list(COMPONENTS)
    for overlay in OVERLAYS:
        content = yaml.safe_load((FOLDER / "overlays" / overlay / "kustomization.yaml").read_text())
        own = [path.removeprefix("../../components/") for path in content.get("components", ())]
        assert own == sorted(own, key=order.index)
        assert all(COMPONENTS[name] <= set(own) for name in own)


@functools.cache
def _fault(document: str, minor: str) -> str:
    """What a schema has against a document, as JSON; empty where it has nothing."""
    content = json.loads(document)
    if content["kind"] in CUSTOM:
        try:
            jsonschema.validate(content["spec"], exactly(CUSTOM[content["kind"]]))
        except jsonschema.ValidationError as error:
            return str(error)
        return ""
    try:
        kubernetes_validate.validate(content, minor, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return ""


def check_schemas(documents: Iterable[Document]) -> None:
    """Every document is what its kind must be, on each of the last Kubernetes."""
    for document in documents:
        for minor in MINORS:
            fault = _fault(json.dumps(document), minor)
            assert not fault, f"{document['kind']}/{name_of(document)} on Kubernetes {minor}: {fault}"


def _check(documents: list[Document] | Any) -> None:
    """Schemas, and names that stand for something."""
    check_schemas(documents)
    identities = [(one["kind"], name_of(one)) for one in documents]
    assert len(set(identities)) == len(identities)
    for document in documents:
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "hooke"
    for workload in workloads(documents):
        check_references(workload, identities)
    scaled = [
        (one["spec"]["scaleTargetRef"].get("kind", "Deployment"), one["spec"]["scaleTargetRef"]["name"])
        for one in of_kind(documents, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert set(scaled) <= set(identities)
    assert len(set(scaled)) == len(scaled)
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        # A number in the manifest would undo the autoscaler at every `kubectl apply`.
        assert (document["kind"], name_of(document)) not in scaled or "replicas" not in document["spec"]


def check_references(workload: Workload, identities: list[tuple[str, str]]) -> None:
    """Accounts, volumes, configuration and secrets that a workload names are there."""
    assert ("ServiceAccount", workload.pod["serviceAccountName"]) in identities
    volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
    mounted = {mount["name"] for one in workload.containers for mount in one["volumeMounts"]}
    assert mounted == volumes.keys() | workload.claims
    for volume in volumes.values():
        match volume:
            case {"configMap": {"name": name}}:
                assert ("ConfigMap", name) in identities
            case {"persistentVolumeClaim": {"claimName": name}}:
                assert ("PersistentVolumeClaim", name) in identities
            case {"secret": {"secretName": name, **rest}}:
                assert {item["key"] for item in rest.get("items", ())} <= set(SECRETS[name])
            case {"emptyDir": {"sizeLimit": _}}:
                pass
            case _:
                raise AssertionError(volume)
    for container in workload.containers:
        assert "envFrom" not in container
        assert all(variable.keys() == {"name", "value"} for variable in container.get("env", ()))


# Every component alone, every pair and all together are what Kubernetes accepts, and lack nothing.
@pytest.mark.slow
@each_combination
def test_combinations_are_sound(combination: Combination) -> None:
    _check(build(combination))


# So is every overlay.
@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_are_sound(overlay: str) -> None:
    _check(build(overlay))


# Nothing runs with more rights than it needs: the namespace enforces the restricted standard, and every
# container keeps to it, with a root file system that it cannot write.
@each_deployment
def test_every_pod_is_restricted(what: str | Combination) -> None:
    documents = build(what)
    (namespace,) = of_kind(documents, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in workloads(documents):
        check_restricted(workload)


def check_restricted(workload: Workload) -> None:
    """No rights, and nothing that can be written but /tmp and volumes."""
    pod = workload.pod
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    for container in workload.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, workload.name
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


# Every container says what it needs and what it may take at most, and runs a version that is named.
@each_deployment
def test_every_container_is_bounded_and_pinned(what: str | Combination) -> None:
    for workload in workloads(build(what)):
        check_bounded_and_pinned(workload)


def check_bounded_and_pinned(workload: Workload) -> None:
    """Requests, limits, and the version of an image: Hooke's own, or a number of somebody else's."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for container in workload.containers:
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() >= {"cpu", "memory"}, workload.name
        image, colon, tag = container["image"].partition(":")
        assert colon
        if image.startswith("hooke/"):
            assert tag == version
        else:
            assert re.match(r"\d+\.\d+", tag)


# Selectors find their own pods and no others; every server has a service, an account and a budget of its
# name, and spreads over nodes and zones.
@each_deployment
def test_selectors_match(what: str | Combination) -> None:
    documents = build(what)
    running = workloads(documents)
    for workload in running:
        if workload.kind == "CronJob":
            continue
        chosen = [workload.document["spec"]["selector"]]
        named = (name_of(one) for one in of_kind(documents, "PodDisruptionBudget", "Service"))
        assert list(named).count(workload.name) == 2
        chosen += [
            one["spec"]["selector"]
            for one in of_kind(documents, "PodDisruptionBudget")
            if name_of(one) == workload.name
        ]
        chosen += [
            {"matchLabels": one["spec"]["selector"]}
            for one in of_kind(documents, "Service")
            if name_of(one).removesuffix("-public") == workload.name
        ]
        for selector in chosen:
            assert [one.name for one in running if matches(selector, one.labels)] == [workload.name]
        assert workload.pod["serviceAccountName"] == workload.name
    for service in of_kind(documents, "Service"):
        (target,) = (
            one for one in running if matches({"matchLabels": service["spec"]["selector"]}, one.labels)
        )
        for port in service["spec"]["ports"]:
            assert target.ports[port["targetPort"]] == port["port"]
    for workload, _ in servers(documents):
        spread = workload.pod["topologySpreadConstraints"]
        keys = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert {one["topologyKey"] for one in spread} == keys
        for one in spread:
            assert matches(one["labelSelector"], workload.labels)
            assert workload.labels.keys() >= set(one["matchLabelKeys"])


# Only the gateway is seen from outside, only where clients must show a certificate, and only its gRPC port.
@each_deployment
def test_only_the_gateway_is_published(what: str | Combination) -> None:
    documents = build(what)
    for service in of_kind(documents, "Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            assert service["spec"]["selector"] == {"app.kubernetes.io/name": "gateway"}
            assert [port["name"] for port in service["spec"]["ports"]] == ["grpc"]
            (gateway,) = (one for workload, one in servers(documents) if workload.name == "gateway")
            assert "HOOKE_TLS_CLIENT_CA_FILE" in {variable["name"] for variable in gateway["env"]}
    assert not of_kind(documents, "Ingress")
