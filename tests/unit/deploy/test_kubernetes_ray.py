"""The example of an evaluation on a Ray cluster that KubeRay starts, as far as it can be tried without."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from importlib import metadata

import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from evaluator.__main__ import command_line
from evaluator.settings import EvaluatorSettings
from runtime.settings import PREFIX, load_settings
from tests.unit.deploy.manifests import (
    FOLDER,
    Document,
    Workload,
    build,
    build_example,
    name_of,
    nodes,
    of_kind,
    servers,
)
from tests.unit.deploy.reachability import Peer, may_reach
from tests.unit.deploy.test_kubernetes import (
    check_bounded_and_pinned,
    check_references,
    check_restricted,
    check_schemas,
)
from tests.unit.repo.test_repository import pins

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(scope="module")
def documents() -> Sequence[Document]:
    return build_example("ray")


@pytest.fixture(scope="module")
def job(documents: Sequence[Document]) -> Document:
    (job,) = of_kind(documents, "RayJob")
    return job


@pytest.fixture(scope="module")
def head_and_workers(job: Document) -> list[Workload]:
    return nodes(job)


# The job has the fields that KubeRay knows, and the pods of its cluster are what Kubernetes accepts:
# restricted, bounded, of one version, with accounts and volumes that are there.
def test_sound(documents: Sequence[Document], head_and_workers: list[Workload]) -> None:
    check_schemas([*documents, *(node.document for node in head_and_workers)])
    beside = [*documents, *build("workstation")]
    identities = [(one["kind"], name_of(one)) for one in beside]
    assert len(set(identities)) == len(identities)
    for node in head_and_workers:
        check_restricted(node)
        check_bounded_and_pinned(node)
        check_references(node, identities)


# Every node has the same image and sees the data at the same path; what is written is written by the head.
def test_nodes_are_alike(head_and_workers: list[Workload]) -> None:
    assert len({node.containers[0]["image"] for node in head_and_workers}) == 1
    mounts = [
        {mount["mountPath"]: mount.get("readOnly", False) for mount in node.containers[0]["volumeMounts"]}
        for node in head_and_workers
    ]
    assert mounts == [{"/tmp": False, "/data": True, "/runs": False}, {"/tmp": False, "/data": True}]


# The cluster speaks the version of Ray that is installed with Hooke.
def test_version(job: Document) -> None:
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pins("base.txt")["ray"]


# The image has what KubeRay speaks to, which Ray has with its extra `default` alone, in versions that are
# pinned.
def test_image_answers_the_operator() -> None:
    dockerfile = (FOLDER / "examples" / "ray" / "Dockerfile").read_text()
    assert '"ray[default]"' in dockerfile
    base, beside = pins("base.txt"), pins("ray.txt")
    assert all(f"--constraint constraints/{name}" in dockerfile for name in ("base.txt", "ray.txt"))
    assert not base.keys() & beside.keys()
    needed = [Requirement(text) for text in metadata.requires("ray") or []]
    needed = [one for one in needed if one.marker and one.marker.evaluate({"extra": "default"})]
    assert "aiohttp" in {one.name for one in needed}
    for one in needed:
        assert one.specifier.contains({**base, **beside}[canonicalize_name(one.name)], prereleases=True), one


# The command is one that the evaluator understands, on Ray, and its variables are settings that it reads.
def test_command(job: Document, head_and_workers: list[Workload], monkeypatch: pytest.MonkeyPatch) -> None:
    python, m, module, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (python, m, module) == ("python", "-m", "evaluator")
    command = typer.main.get_command(command_line())
    _, run, rest = command.resolve_command(command.make_context("evaluator", arguments), arguments)  # type: ignore[attr-defined]
    assert run.make_context("run", rest).params["engine"] == "ray"
    environment = {one["name"]: one["value"] for one in head_and_workers[0].containers[0]["env"]}
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if name.startswith(PREFIX):
            assert name.removeprefix(PREFIX).lower() in EvaluatorSettings.model_fields
            monkeypatch.setenv(name, value if value != "/data" else "/")
    settings = load_settings(EvaluatorSettings)
    assert str(settings.evaluator_runs_dir) == environment["HOOKE_EVALUATOR_RUNS_DIR"] == "/runs"
    (evaluator,) = (one for workload, one in servers(build("workstation")) if workload.name == "evaluator")
    told = {one["name"]: one.get("value") for one in evaluator["env"]}
    assert told.items() >= {name: value for name, value in environment.items() if name in told}.items()


# Beside the policies of Hooke, nodes reach each other and the gateway, and are reached by the operator alone.
def test_reachability(documents: Sequence[Document], head_and_workers: list[Workload]) -> None:
    policies = [*of_kind(documents, "NetworkPolicy"), *of_kind(build("lab"), "NetworkPolicy")]
    head, worker = (Peer(node.name, "hooke", node.labels) for node in head_and_workers)
    operator = Peer("operator", "kuberay-system", {"app.kubernetes.io/name": "kuberay-operator"})
    stranger = Peer("stranger", "hooke", {"app.kubernetes.io/component": "client"})
    gateway = Peer("gateway", "hooke", {"app.kubernetes.io/component": "gateway"}, {"grpc": 50051})
    model = Peer("model", "hooke", {"app.kubernetes.io/component": "model"}, {"grpc": 50051})

    def reaches(source: Peer, target: Peer, port: int) -> bool:
        return may_reach(policies, source, target, port, "TCP")

    assert reaches(head, worker, 6379)
    assert reaches(worker, head, 10002)
    assert reaches(worker, gateway, 50051)
    assert reaches(operator, head, 8265)
    assert not reaches(operator, head, 6379)
    assert not reaches(stranger, head, 8265)
    assert not reaches(head, model, 50051)
