"""Other people's firewalls: an accept in our table cannot undo a drop in another's forward chain.

Where a base chain of somebody else on the forward hook drops, accepting rules for each bridge go to the place its
owner made for such rules: `DOCKER-USER` (dockerd), `ufw-user-forward` (ufw), firewalld's own forward chain. What
may pass is still decided in our table; these rules only keep the other from deciding first. They are recognised by
the bridge's name, which is this instance's alone; they stand behind the user's own rules in those chains. Towards
dockerd's bridges our rules return, and dockerd's own chains decide: what it has not published stays shut.

Only matches that iptables-nft writes itself may be used (names, counter, verdict): with any other in it, iptables
refuses the whole table ("incompatible, use 'nft' tool"), and dockerd with it. Rules of the legacy xtables cannot be
seen here, and that is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakobu.kernel.nftables import Nftables

_OWNERS_CHAINS = ("DOCKER-USER", "ufw-user-forward", "ufw6-user-forward")
_DOCKERS_BRIDGES = "DOCKER-ISOLATION-STAGE-2"
"""Names each of dockerd's bridges in a rule that drops. A dockerd without it guards its containers earlier (raw)."""
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
    left_alone: tuple[str, ...] = ()

    @property
    def hook(self) -> str:
        return f"{self.family} {self.table} {self.hook_chain}"


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
    alone: tuple[str, ...] = ()
    if hook == "DOCKER-USER" and (family, table, _DOCKERS_BRIDGES) in names:
        found = _objects(nft, f"list chain {family} {table} {_DOCKERS_BRIDGES}", "rule")
        alone = tuple(r.oif for r in map(_rule, found) if r.verdict == "drop" and r.oif)
    return Chain(family, table, name, drops, hook, alone)


def _ends_in_drop(nft: Nftables, family: str, table: str, name: str) -> bool:
    """A last rule that drops or rejects whatever comes to it, as firewalld's and hand-written chains have."""
    _, verdict = _last_word(_objects(nft, f"list chain {family} {table} {name}", "rule"))
    return verdict in ("drop", "reject")


def _last_word(rules: list[dict[str, Any]]) -> tuple[int, str]:
    """Handle and verdict of a last rule that has no condition; 0 where there is none such."""
    said = [e for e in rules[-1].get("expr", []) if "counter" not in e] if rules else []
    verdict = next(iter(said[0])) if len(said) == 1 else ""
    return (int(rules[-1]["handle"]), verdict) if verdict in ("drop", "reject", "return") else (0, "")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the few kinds that we write: interfaces (empty for any) and verdict."""

    iif: str
    oif: str
    verdict: str

    def text(self) -> str:
        match = "".join(f'{key} "{name}" ' for key, name in (("iifname", self.iif), ("oifname", self.oif)) if name)
        return f"{match}counter {self.verdict}"


def _rule(listed: dict[str, Any]) -> Rule:
    names = {"iifname": "", "oifname": ""}
    verdict = ""
    for expression in listed.get("expr", []):
        match expression:
            case {"match": {"op": "==", "left": {"meta": {"key": str(key)}}, "right": str(name)}} if key in names:
                names[key] = name
            case {"accept": _} | {"drop": _} | {"return": _}:
                verdict = next(iter(expression))
            case _:
                continue
    return Rule(names["iifname"], names["oifname"], verdict)


def _wanted(chain: Chain, bridges: Iterable[str]) -> list[Rule]:
    rules: list[Rule] = []
    for name in bridges:
        rules += [Rule(name, theirs, "return") for theirs in chain.left_alone]
        rules += [Rule(name, "", "accept"), Rule("", name, "accept")]
    return rules


def open_for(nft: Nftables, own_table: str, bridges: Sequence[str]) -> tuple[list[str], list[str]]:
    """Makes the rules about these bridges what they should be. Returns what was done and what could not be, as
    sentences."""
    done: list[str] = []
    warnings: list[str] = legacy_warnings()
    for chain in forward_chains(nft, own_table):
        if not chain.drops:
            continue
        if not chain.hook_chain:
            where = f"{chain.family} {chain.table} {chain.name}"
            warnings.append(f"chain {where} drops forwarded packets: containers may not reach the network")
            continue
        try:
            if _write(nft, chain, bridges):
                done.append(f"chain {chain.hook} accepts {', '.join(bridges)}")
        except OSError as e:
            warnings.append(f"chain {chain.hook} drops forwarded packets and took no rule: {e.strerror}")
    return done, warnings


def _write(nft: Nftables, chain: Chain, bridges: Sequence[str]) -> bool:
    """One transaction, behind the user's rules and before the chain's last word; False where all was right."""
    listed = _objects(nft, f"list chain {chain.hook}", "rule")
    held = _rules_about(listed, set(bridges))
    wanted = _wanted(chain, bridges)
    if [rule for rule, _ in held] == wanted:
        return False
    before, _ = _last_word(listed)
    place = f"insert rule {chain.hook} position {before}" if before else f"add rule {chain.hook}"
    removals = [f"delete rule {chain.hook} handle {handle}" for _, handle in held]
    nft.run("\n".join([*removals, *(f"{place} {rule.text()}" for rule in wanted)]) + "\n")
    return True


def close_for(nft: Nftables, own_table: str, bridges: Iterable[str]) -> None:
    """Removes the rules about these bridges wherever they are."""
    wanted = set(bridges)
    for chain in forward_chains(nft, own_table):
        if not chain.hook_chain:
            continue
        held = _rules_about(_objects(nft, f"list chain {chain.hook}", "rule"), wanted)
        commands = "".join(f"delete rule {chain.hook} handle {handle}\n" for _, handle in held)
        if commands:
            try:
                nft.run(commands)
            except OSError:
                continue  # its owner rewrote the chain meanwhile: then our rules are gone as well


def _rules_about(listed: list[dict[str, Any]], bridges: set[str]) -> list[tuple[Rule, int]]:
    """Each rule that names one of these bridges, with its handle."""
    rules = ((_rule(entry), int(entry["handle"])) for entry in listed)
    return [(rule, handle) for rule, handle in rules if {rule.iif, rule.oif} & bridges]


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
