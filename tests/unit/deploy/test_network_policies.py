"""Network policies: the connections that they allow are those that Hooke needs, and no others."""

from __future__ import annotations

import itertools
import shutil

import pytest

from tests.unit.deploy.manifests import EVERYTHING, Combination, build, of_kind, workloads
from tests.unit.deploy.reachability import Peer, may_reach

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

COMPONENT = "app.kubernetes.io/component"
GRPC, HEALTH, METRICS, DATABASE, HTTPS, DNS = 50051, 50052, 9464, 5432, 443, 53
PORTS = (*itertools.product((GRPC, HEALTH, METRICS, DATABASE, HTTPS, 80, DNS), ("TCP",)), (DNS, "UDP"))

PROMETHEUS = Peer("prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"})
RESOLVER = Peer("resolver", "kube-system", {"k8s-app": "kube-dns"})
STRANGERS = (
    Peer("pod elsewhere", "elsewhere", {COMPONENT: "gateway"}),
    Peer("pod beside Prometheus", "monitoring", {"app.kubernetes.io/name": "grafana"}),
    Peer("pod beside the resolver", "kube-system", {"app": "anything"}),
)
NEIGHBOUR = Peer("pod without labels", "hooke")
INTERNET = (Peer("internet", address="93.184.215.14"), Peer("internet, IPv6", address="2606:2800:21f::1"))
INSIDE = (
    Peer("metadata of the cloud", address="169.254.169.254"),
    Peer("node", address="192.168.1.7"),
    Peer("network of the cluster", address="10.1.2.3"),
    Peer("network of the cluster, IPv6", address="fd00::7"),
)
OUTSIDE = (PROMETHEUS, RESOLVER, *STRANGERS, *INTERNET, *INSIDE)


# Everything of Hooke against everything else, on every port: exactly these connections pass.
@pytest.mark.parametrize("what", ["lab", "cloud", *EVERYTHING], ids=str)
def test_exactly_what_is_needed_passes(what: str | Combination) -> None:
    documents = build(what)
    policies = of_kind(documents, "NetworkPolicy")
    pods = {one.name: Peer(one.name, "hooke", one.labels, one.ports) for one in workloads(documents)}
    peers = [*pods.values(), NEIGHBOUR, *OUTSIDE]
    passing = {
        (source.name, target.name, port)
        for source, target in itertools.product(peers, peers)
        if source is not target and "hooke" in (source.namespace, target.namespace)
        for port, protocol in PORTS
        if may_reach(policies, source, target, port, protocol)
    }

    def names(*components: str) -> list[str]:
        return [name for name, peer in pods.items() if peer.labels[COMPONENT] in components]

    # Whoever is outside the namespace may call the gateway: it is published.
    expected = {(one.name, "gateway", GRPC) for one in OUTSIDE}
    expected |= {(name, "gateway", GRPC) for name in names("evaluator", "client")}
    expected |= {("gateway", name, GRPC) for name in names("model", "proxy", "evaluator")}
    expected |= {("prometheus", name, METRICS) for name in names("gateway", "model", "proxy", "evaluator")}
    expected |= {(name, "resolver", DNS) for name in (*pods, NEIGHBOUR.name)}
    expected |= {(name, one.name, HTTPS) for name in names("proxy", "fetch") for one in INTERNET}
    expected |= {(name, other, DATABASE) for name in names("evaluator") for other in names("database")}
    if what == "cloud":  # its database is managed, and has an address of the cluster's network
        expected.add(("evaluator", "network of the cluster", DATABASE))
    assert passing == expected


# Without the component everything passes: what is refused above, the policies refuse.
def test_nothing_else_refuses() -> None:
    documents = build(("gpu", "cloud"))
    assert not of_kind(documents, "NetworkPolicy")
    assert may_reach((), STRANGERS[0], Peer("sam", "hooke"), GRPC, "TCP")
