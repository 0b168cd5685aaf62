"""The network namespace that holds the whole cluster, and the one cable into it."""

from pathlib import Path

from cluster.layout import HOST_IP, NAME, NODE_IP
from cluster.processes import IN_NETWORK, run, succeeds

_OUTSIDE = f"{NAME}-out"
_INSIDE = f"{NAME}-in"


def create_network() -> None:
    """Make the namespace with 198.18.255.2 inside and 198.18.255.1 outside; nothing is routed further."""
    if Path(f"/var/run/netns/{NAME}").exists():
        return
    run("ip", "netns", "add", NAME)
    run("ip", "link", "add", _OUTSIDE, "type", "veth", "peer", "name", _INSIDE, "netns", NAME)
    run("ip", "address", "add", f"{HOST_IP}/30", "dev", _OUTSIDE)
    run("ip", "link", "set", _OUTSIDE, "up")
    _inside("ip", "address", "add", f"{NODE_IP}/30", "dev", _INSIDE)
    _inside("ip", "link", "set", "lo", "up")
    _inside("ip", "link", "set", _INSIDE, "up")
    _inside("ip", "route", "add", "default", "via", HOST_IP)
    _redirect(80, 8080)
    # A Service's reply between two pods of the bridge must pass the packet filter, or it is never translated back.
    for setting in ("net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=1"):
        _inside("sysctl", "-q", "-w", setting)


def delete_network() -> None:
    if succeeds("ip", "link", "show", _OUTSIDE):
        run("ip", "link", "delete", _OUTSIDE)
    if Path(f"/var/run/netns/{NAME}").exists():
        run("ip", "netns", "delete", NAME)


def _redirect(port: int, to: int) -> None:
    """Let the Ingress answer on the port that its status means: Contour's Envoy listens 8000 higher."""
    chain = "{ type nat hook prerouting priority dstnat - 10; }"
    _inside("nft", "add", "table", "ip", "kronos")
    _inside("nft", "add", "chain", "ip", "kronos", "edge", chain)
    rule = f"ip daddr {NODE_IP} tcp dport {port} redirect to :{to}"
    _inside("nft", "add", "rule", "ip", "kronos", "edge", *rule.split())


def _inside(*command: str) -> None:
    run(*IN_NETWORK, *command)
