"""The pod with a shell that brings datasets in and runs out, beside each overlay."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.deploy.manifests import OVERLAYS, build, build_example, name_of, of_kind, workloads
from tests.unit.deploy.reachability import Peer, may_reach
from tests.unit.deploy.test_images import DOCKERFILE
from tests.unit.deploy.test_kubernetes import (
    check_bounded_and_pinned,
    check_references,
    check_restricted,
    check_schemas,
)

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


# It is what Kubernetes accepts in that namespace, of the image that Hooke's own are made from, and can write
# the volumes of the evaluator.
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_sound(overlay: str) -> None:
    documents, beside = build_example("files"), build(overlay)
    check_schemas(documents)
    identities = [(one["kind"], name_of(one)) for one in [*documents, *beside]]
    assert len(set(identities)) == len(identities)
    (evaluator,) = (one for one in workloads(beside) if one.name == "evaluator")
    identities += [("PersistentVolumeClaim", f"{claim}-{evaluator.name}-0") for claim in evaluator.claims]
    (files,) = workloads(documents)
    check_restricted(files)
    check_bounded_and_pinned(files)
    check_references(files, identities)
    (container,) = files.containers
    assert f"\nARG PYTHON={container['image']}\n" in DOCKERFILE
    for key in ("runAsUser", "runAsGroup", "fsGroup"):
        assert files.pod["securityContext"][key] == evaluator.pod["securityContext"][key]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert mounts == {"/tmp": False, "/data": False, "/runs": False}


# Where policies hold, nobody reaches it, and it reaches nothing but the DNS.
def test_alone() -> None:
    policies = of_kind(build("lab"), "NetworkPolicy")
    (files,) = workloads(build_example("files"))
    pod = Peer("files", "hooke", files.labels)
    gateway = Peer("gateway", "hooke", {"app.kubernetes.io/component": "gateway"}, {"grpc": 50051})
    assert not may_reach(policies, pod, gateway, 50051, "TCP")
    assert not may_reach(policies, gateway, pod, 50051, "TCP")
    assert not may_reach(policies, pod, Peer("internet", address="93.184.215.14"), 443, "TCP")
