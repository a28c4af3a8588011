"""Other people's firewalls: an accept in our table cannot undo a drop in another's forward chain.

Where a base chain of somebody else on the forward hook drops, two accepting rules for each bridge go to the place
its owner made for such rules: `DOCKER-USER` (dockerd), `ufw-user-forward` (ufw), firewalld's own forward chain. What
may pass is still decided in our table; these rules only keep the other from deciding first. They are recognised by
the bridge's name, which is this instance's alone. Everything goes by nftables: rules of the legacy xtables cannot be
seen here, and that is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakobu.kernel.nftables import Nftables

_OWNERS_CHAINS = ("DOCKER-USER", "ufw-user-forward", "ufw6-user-forward")
_FIREWALLD = ("inet", "firewalld", "filter_FORWARD")
_LEGACY = (Path("/proc/net/ip_tables_names"), Path("/proc/net/ip6_tables_names"))


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that decides about forwarding before us, and where its owner lets others speak."""

    family: str
    table: str
    name: str
    drops: bool
    hook_chain: str = ""


def _objects(nft: Nftables, command: str, kind: str) -> list[dict[str, Any]]:
    try:
        return [entry[kind] for entry in nft.query(command, terse=True) if kind in entry]
    except (OSError, ValueError):
        return []


def forward_chains(nft: Nftables, own_table: str) -> list[Chain]:
    """Every other table's base chain on the forward hook."""
    chains = _objects(nft, "list chains", "chain")
    names = {(c["family"], c["table"], c["name"]) for c in chains}
    return [
        _chain(nft, c, names)
        for c in chains
        if c.get("hook") == "forward" and c["family"] in ("ip", "ip6", "inet") and not _is_ours(c, own_table)
    ]


def _is_ours(chain: dict[str, Any], own_table: str) -> bool:
    """Another instance's table drops only what concerns its own bridges."""
    return chain["table"] == own_table or (chain["family"] == "inet" and str(chain["table"]).startswith("hakobu"))


def _chain(nft: Nftables, chain: dict[str, Any], names: set[tuple[str, str, str]]) -> Chain:
    family, table, name = str(chain["family"]), str(chain["table"]), str(chain["name"])
    hook = next((n for n in _OWNERS_CHAINS if (family, table, n) in names), "")
    if not hook and (family, table, name) == _FIREWALLD:
        hook = name
    drops = chain.get("policy") == "drop" or _ends_in_drop(nft, family, table, name)
    return Chain(family, table, name, drops, hook)


def _ends_in_drop(nft: Nftables, family: str, table: str, name: str) -> bool:
    """A last rule that drops or rejects whatever comes to it, as firewalld's and hand-written chains have."""
    found = _objects(nft, f"list chain {family} {table} {name}", "rule")
    if not found:
        return False
    verdicts = [e for e in found[-1].get("expr", []) if "counter" not in e]
    return len(verdicts) == 1 and bool({"drop", "reject"} & set(verdicts[0]))


def _quote(name: str) -> str:
    return f'"{name}"'


def open_for(nft: Nftables, own_table: str, bridges: Sequence[str]) -> tuple[list[str], list[str]]:
    """Adds what is missing for these bridges. Returns what was done and what could not be, as sentences."""
    done: list[str] = []
    warnings: list[str] = legacy_warnings()
    for chain in forward_chains(nft, own_table):
        where = f"{chain.family} {chain.table} {chain.hook_chain or chain.name}"
        if not chain.drops:
            continue
        if not chain.hook_chain:
            warnings.append(f"chain {where} drops forwarded packets: containers may not reach the network")
            continue
        present = {iface for iface, _ in _rules_about(nft, chain, set(bridges))}
        missing = [b for b in bridges if b not in present]
        commands = "".join(
            f"insert rule {where} {direction} {_quote(b)} counter accept\n"
            for b in missing
            for direction in ("iifname", "oifname")
        )
        if not commands:
            continue
        try:
            nft.run(commands)
            done.append(f"chain {where} accepts {', '.join(missing)}")
        except OSError as e:
            warnings.append(f"chain {where} drops forwarded packets and took no rule: {e.strerror}")
    return done, warnings


def close_for(nft: Nftables, own_table: str, bridges: Iterable[str]) -> None:
    """Removes the rules about these bridges wherever they are."""
    wanted = set(bridges)
    for chain in forward_chains(nft, own_table):
        if not chain.hook_chain:
            continue
        where = f"{chain.family} {chain.table} {chain.hook_chain}"
        commands = "".join(f"delete rule {where} handle {h}\n" for _, h in _rules_about(nft, chain, wanted))
        if commands:
            try:
                nft.run(commands)
            except OSError:
                continue  # its owner rewrote the chain meanwhile: then our rules are gone as well


def _rules_about(nft: Nftables, chain: Chain, bridges: set[str]) -> list[tuple[str, int]]:
    """Interface and handle of the rules that say nothing but accept for one of these bridges."""
    found: list[tuple[str, int]] = []
    listed = _objects(nft, f"list chain {chain.family} {chain.table} {chain.hook_chain}", "rule")
    for rule in listed:
        expressions = rule.get("expr", [])
        right = next((e["match"]["right"] for e in expressions if "match" in e), None)
        if isinstance(right, str) and right in bridges and {"accept"} & {k for e in expressions for k in e}:
            found.append((right, int(rule["handle"])))
    return found


def legacy_warnings() -> list[str]:
    for path in _LEGACY:
        try:
            if "filter" in path.read_text().split():
                return [
                    "legacy iptables rules are loaded, which nftables cannot see: they may drop containers' packets"
                ]
        except OSError:
            continue
    return []
