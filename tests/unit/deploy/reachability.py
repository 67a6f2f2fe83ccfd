"""Who may reach whom, computed from NetworkPolicies as Kubernetes defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tests.unit.deploy.manifests import Document, matches


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod, or an address outside the cluster."""

    name: str
    namespace: str = ""
    """Empty: it is no pod."""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """Of its containers, by name."""
    address: str = ""
    """Where it is no pod."""


def may_reach(policies: Sequence[Document], source: Peer, target: Peer, port: int, protocol: str) -> bool:
    """Whether a connection is allowed: by a policy of each side, or because a side has no policy at all."""
    return _side(policies, "Egress", source, target, target, port, protocol) and _side(
        policies, "Ingress", target, source, target, port, protocol
    )


def _side(
    policies: Sequence[Document], kind: str, own: Peer, other: Peer, target: Peer, port: int, protocol: str
) -> bool:
    applying = [
        policy
        for policy in policies
        if own.namespace == policy["metadata"]["namespace"]
        and kind in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], own.labels)
    ]
    if not applying:
        return True
    where = {"Egress": "to", "Ingress": "from"}[kind]
    return any(
        _fits(rule.get(where), other, policy["metadata"]["namespace"])
        and _has_port(rule.get("ports"), target, port, protocol)
        for policy in applying
        for rule in policy["spec"].get(kind.lower(), ())
    )


def _fits(entries: Sequence[Document] | None, peer: Peer, namespace: str) -> bool:
    return entries is None or any(_is(entry, peer, namespace) for entry in entries)


def _is(entry: Document, peer: Peer, namespace: str) -> bool:
    if "ipBlock" in entry:
        if not peer.address:
            return False
        address, block = ip_address(peer.address), entry["ipBlock"]
        left_out = any(address in ip_network(one) for one in block.get("except", ()))
        return address in ip_network(block["cidr"]) and not left_out
    if "namespaceSelector" in entry:
        right_namespace = matches(entry["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace})
    else:
        right_namespace = peer.namespace == namespace
    return bool(peer.namespace) and right_namespace and matches(entry.get("podSelector", {}), peer.labels)


def _has_port(ports: Sequence[Document] | None, target: Peer, port: int, protocol: str) -> bool:
    return ports is None or any(
        one.get("protocol", "TCP") == protocol and target.ports.get(one["port"], one["port"]) == port
        for one in ports
    )
