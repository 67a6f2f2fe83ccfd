"""What Kustomize makes of `deploy/kubernetes`, and the parts of it that tests look at."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Document = Mapping[str, Any]

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
OVERLAYS = ("workstation", "lab", "cloud")

COMPONENTS: Mapping[str, frozenset[str]] = {
    "gpu": frozenset(),
    "cloud": frozenset(),
    "evaluation": frozenset(),
    "shared-state": frozenset(),
    "shared-state-postgres": frozenset({"shared-state"}),
    "autoscaling/hpa": frozenset(),
    "autoscaling/hpa-gpu": frozenset({"gpu", "autoscaling/hpa"}),
    "autoscaling/keda": frozenset(),
    "autoscaling/keda-gpu": frozenset({"gpu", "autoscaling/keda"}),
    "monitoring": frozenset(),
    "network-policies": frozenset(),
    "tls": frozenset(),
}
"""Every component, in the order that overlays name them in -> those that it needs."""

Combination = tuple[str, ...]


def _whole(names: Iterable[str]) -> Combination:
    """The components with those that they need, in their order."""
    wanted = set(names)
    for name in tuple(wanted):
        wanted |= COMPONENTS[name]
    return tuple(name for name in COMPONENTS if name in wanted)


def _makes_sense(combination: Combination) -> bool:
    """Two autoscalers would fight for the same replicas."""
    return not {"autoscaling/hpa", "autoscaling/keda"} <= set(combination)


EVERYTHING = tuple(
    tuple(name for name in COMPONENTS if not name.startswith(f"autoscaling/{other}"))
    for other in ("keda", "hpa")
)
"""All components together, with the one autoscaler and with the other."""

COMBINATIONS = tuple(
    dict.fromkeys(
        combination
        for size in (0, 1, 2)
        for names in itertools.combinations(COMPONENTS, size)
        if _makes_sense(combination := _whole(names))
    )
) + tuple(EVERYTHING)
"""None, each, every pair and all of them."""

SECRETS = {
    "gateway-tls": ("tls.crt", "tls.key", "ca.crt"),
    "internal-tls": ("tls.crt", "tls.key", "ca.crt"),
    "openai-api-key": ("api-key",),
    "gemini-api-key": ("api-key",),
    "hooke-database": ("url", "password"),
}
"""What operators make by hand, with its keys: no secret is part of the manifests."""


def build_example(name: str) -> Sequence[Document]:
    """The manifests of an example, which stands beside an overlay."""
    return _kustomize(FOLDER / "examples" / name)


def build(what: str | Combination) -> Sequence[Document]:
    """The manifests of an overlay, or of the base with these components."""
    if isinstance(what, str):
        return _kustomize(FOLDER / "overlays" / what)
    return _combined(what)


@functools.cache
def _combined(components: Combination) -> Sequence[Document]:
    with tempfile.TemporaryDirectory() as name:
        back = Path(os.path.relpath(FOLDER, Path(name).resolve()))
        content = {
            "namespace": "hooke",
            "resources": [str(back / "base")],
            "components": [str(back / "components" / component) for component in components],
        }
        Path(name, "kustomization.yaml").write_text(yaml.safe_dump(content))
        return _kustomize(Path(name))


@functools.cache
def _kustomize(folder: Path) -> Sequence[Document]:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # a warning: something is deprecated
    return tuple(document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document)


def of_kind(documents: Iterable[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def name_of(document: Document) -> str:
    return str(document["metadata"]["name"])


def matches(selector: Document, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as matchLabels and matchExpressions, chooses these labels."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}, selector
    for one in selector.get("matchExpressions", ()):
        assert one["operator"] == "In", one
        if labels.get(one["key"]) not in one["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


@dataclass(frozen=True)
class Workload:
    """What makes pods."""

    document: Document

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return name_of(self.document)

    @property
    def template(self) -> Document:
        spec = self.document["spec"]
        return dict((spec["jobTemplate"]["spec"] if self.kind == "CronJob" else spec)["template"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Of its pods."""
        return dict(self.template["metadata"]["labels"])

    @property
    def pod(self) -> Document:
        return dict(self.template["spec"])

    @property
    def containers(self) -> Sequence[Document]:
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    @property
    def ports(self) -> Mapping[str, int]:
        """Of its containers, by name."""
        return {
            port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", ())
        }

    @property
    def claims(self) -> set[str]:
        """Volumes that it makes itself."""
        return {name_of(one) for one in self.document["spec"].get("volumeClaimTemplates", ())}

    @property
    def server(self) -> Document | None:
        """The container that runs a server of Hooke; None where there is none."""
        return next((one for one in self.containers if one["name"] == "server"), None)


def workloads(documents: Iterable[Document]) -> list[Workload]:
    return [Workload(document) for document in of_kind(documents, "Deployment", "StatefulSet", "CronJob")]


def nodes(ray_job: Document) -> list[Workload]:
    """The nodes of a RayJob's cluster, as if each group of them were a Deployment; the head comes first."""
    cluster = ray_job["spec"]["rayClusterSpec"]
    groups = [("head", cluster["headGroupSpec"])]
    groups += [(group["groupName"], group) for group in cluster["workerGroupSpecs"]]
    return [
        Workload(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": ray_job["metadata"]["namespace"]},
                "spec": {
                    "selector": {"matchLabels": group["template"]["metadata"]["labels"]},
                    "template": group["template"],
                },
            }
        )
        for name, group in groups
    ]


def servers(documents: Iterable[Document]) -> Iterator[tuple[Workload, Document]]:
    """Every workload that is a server of Hooke, with its container."""
    for workload in workloads(documents):
        if workload.server is not None:
            yield workload, workload.server
