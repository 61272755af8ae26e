"""Chain checks: is the record what was written while the run went on, and who held it?

Each writer's links hold its parts and each other, a node's watcher signs its own with a key that
was in its memory alone, and watchers hold the heads of each other's chains and of their ranks'.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from analysis.audit.chains import ShardChains, by_name, chains_bytes, read_shards, seen_in
from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.audit.record_checks import LIFETIME_SLACK_US
from analysis.audit.release import missing_chains
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json
from telemetry.shards.chain import BOUND_BY_WATCHER, read_grounds
from telemetry.shards.link_key import signature_stands
from telemetry.shards.links import MOST_CHAIN_BYTES, Link, LinkKind

_SAMPLES: Final = "samples/"
# A client of NFS may go on for acdirmax without seeing a new file, 60 s unless mounted otherwise
# (man nfs); twice that is no cache.
_UNSEEN_US: Final = 120 * US_PER_S
_SLACK_S: Final = LIFETIME_SLACK_US / US_PER_S


def chain_unbroken(case: Case) -> Finding:
    """Every part is what its link says, and the links are one chain from the first to the end."""
    if too_long := _too_long(case):
        return too_long
    shards = read_shards(case.attempt)
    if missing := missing_chains(case, shards):
        return missing
    grounds = read_grounds(case.attempt)
    faults: list[str] = []
    for shard in shards:
        if not shard.chains:
            faults.append(f"{shard.name} has no chain, and others have")
            continue
        faults += shard.order_faults()
        faults += shard.ground_faults(grounds)
        faults += shard.part_faults()
        faults += shard.metadata_faults()
        faults += shard.row_faults()
        faults += _life_faults(case, shard)
        faults += _follower_faults(case, shard)
        if not shard.ended and not _died(case, shard):
            faults.append(f"{shard.name} has no last link, and nobody says that its writer died")
    faults += _told_faults(case, shards)
    if faults:
        return judged(faults, "")
    weak = [f"the last rows of {name} are in no link" for one in shards for name in one.unheld()]
    weak += [
        f"{shard.name} has no last link: its writer died" for shard in shards if not shard.ended
    ]
    if weak:
        return unseen(weak[0])
    parts = sum(len(shard.parts) for shard in shards)
    links = sum(len(chain.links) for shard in shards for chain in shard.chains)
    return judged([], f"{parts} parts in {links} unbroken links of {len(shards)} writers")


def links_signed(case: Case) -> Finding:
    """Watchers' links are signed by keys that nobody has now, and hold those of their ranks."""
    if too_long := _too_long(case):
        return too_long
    shards = read_shards(case.attempt)
    if missing := missing_chains(case, shards):
        return missing
    watchers = [shard for shard in shards if shard.name.startswith(_SAMPLES)]
    faults = list(_seen_faults(shards))
    weak: list[str] = []
    signed = 0
    try:
        for shard in watchers:
            told, why, links = _signatures(case, shard)
            faults += told
            weak += why
            signed += links
    except ModuleNotFoundError as error:
        # What the audit cannot look at is not the record's fault.
        weak.append(f"{error.name} must be installed to look at signatures: extra `evidence`")
    held = {(name, sha256) for shard in watchers for name, _, sha256, _ in seen_in(shard)}
    looked = {shard.host: shard for shard in watchers}
    for shard in shards:
        if shard in watchers:
            continue
        begin = shard.begin
        if begin.get("unsigned") != BOUND_BY_WATCHER:
            faults.append(f"{shard.name} must be held by its node's watcher, but says otherwise")
        if shard.host not in looked:
            faults.append(f"{shard.name} is of {shard.host or 'no node'}, which nobody watched")
            continue
        for chain in shard.chains[-1:]:
            name = f"{shard.name}/{chain.number}"
            if chain.head is not None and (name, chain.head.sha256) not in held:
                said = f"the end of {name} is in no link of {shard.host}'s watcher"
                (faults if _saw_all(looked[shard.host]) else weak).append(said)
    if faults or not weak:
        ranks = len(shards) - len(watchers)
        return judged(faults, f"{signed} signed links of {len(watchers)} nodes hold {ranks} others")
    return unseen(weak[0])


def nodes_countersign(case: Case) -> Finding:
    """Each node's watcher holds heads that every other node's chain has."""
    if too_long := _too_long(case):
        return too_long
    shards = read_shards(case.attempt)
    if missing := missing_chains(case, shards):
        return missing
    watchers = [shard for shard in shards if shard.name.startswith(_SAMPLES)]
    if len(watchers) == 1:
        return skipped("one node: there was no other to hold its links")
    faults = list(_seen_faults(shards, among=watchers))
    weak: list[str] = []
    heads, alone_us = 0, 0
    for shard in watchers:
        for other in watchers:
            if shard is other:
                continue
            told = [one for one in seen_in(shard) if one[0].startswith(f"{other.name}/")]
            heads += len(told)
            faults += _back_faults(shard, other, told)
            if not told:
                said = f"{shard.name} holds no link of {other.name}"
                late = _lived_us(shard) > _UNSEEN_US and _saw_all(shard)
                (faults if late else weak).append(said)
        if shard.begin.get("key") is None:
            weak.append(f"{shard.name} is not signed: {shard.begin.get('unsigned')}")
        alone_us = max(alone_us, _alone_us(shard, watchers))
    if not faults and weak:
        return unseen(weak[0])
    return judged(
        faults,
        f"{len(watchers)} nodes hold {heads} heads of each other; at most the last "
        f"{alone_us / US_PER_S:.1f} s of one are held by no other",
    )


def _too_long(case: Case) -> Finding | None:
    """What to say of more links than the audit reads; None where it reads them."""
    size = chains_bytes(case.attempt)
    if size <= MOST_CHAIN_BYTES:
        return None
    return unseen(f"the chains have {size} bytes, and at most {MOST_CHAIN_BYTES} are read")


def _signatures(case: Case, shard: ShardChains) -> tuple[list[str], list[str], int]:
    """What is wrong with a watcher's signatures, why some say nothing, and how many stand."""
    faults: list[str] = []
    weak: list[str] = []
    signed = 0
    ready = case.run.hosts.get(shard.name.removeprefix(_SAMPLES), {})
    for chain in shard.chains:
        where = f"{shard.name}/{chain.path.name}"
        begin = chain.links[0].said if chain.links else {}
        key = begin.get("key")
        # Who follows a watcher that died has a key of its own; the ready record is the first's.
        if chain.number == 0 and chain.links and ready.get("link_key") != key:
            faults.append(f"the key of {where} is not the one of which its node said that it began")
        if key is None:
            if any(link.signature for link in chain.links):
                faults.append(f"{where} has signatures, and says that it had no key")
            weak.append(f"{where} is not signed: {begin.get('unsigned') or 'it has no link'}")
            continue
        for link in chain.links:
            if link.signature is None or not signature_stands(
                str(key), link.signature, link.signed
            ):
                faults.append(f"link {link.number} of {where} is not signed by the chain's key")
            else:
                signed += 1
    return faults, weak, signed


def _seen_faults(
    shards: list[ShardChains], *, among: list[ShardChains] | None = None
) -> Iterator[str]:
    """Where a link holds a head that the chain it names has not.

    `among` are those whose heads of each other are looked at; None looks at all.
    """
    chains = by_name(shards)
    for shard in shards if among is None else among:
        for name, number, sha256, link in seen_in(shard):
            if among is not None and not name.startswith(_SAMPLES):
                continue
            where = f"link {link.number} of {shard.name} saw link {number} of {name}"
            links = chains[name].links if name in chains else ()
            if name not in chains:
                yield f"{where}, which is not there"
            elif number >= len(links):
                yield f"{where}, which ends with link {len(links) - 1}"
            elif links[number].sha256 != sha256:
                yield f"{where}, which is another one now"


def _back_faults(
    shard: ShardChains, other: ShardChains, told: list[tuple[str, int, str, Link]]
) -> Iterator[str]:
    """Where a node saw another's links in another order, or before they were made."""
    order = [(int(name.rpartition("/")[2]), number) for name, number, _, _ in told]
    for before, after in pairwise(order):
        if after <= before:
            yield f"{shard.name} saw links of {other.name} go back"
            return
    chains = {f"{other.name}/{chain.number}": chain for chain in other.chains}
    for name, number, _, link in told:
        made = chains[name].links[number].said if number < len(chains[name].links) else {}
        made_us, seen_us = made.get("wall_us"), link.said.get("wall_us")
        if type(made_us) is int and type(seen_us) is int and made_us > seen_us + LIFETIME_SLACK_US:
            yield f"{shard.name} saw link {number} of {name} before it was made"


def _alone_us(shard: ShardChains, watchers: list[ShardChains]) -> int:
    """How long before its end a node's last link was made that another node holds."""
    links = {link.sha256: link.said.get("monotonic_us") for link in shard.links()}
    seen = {
        sha256
        for other in watchers
        if other is not shard
        for name, _, sha256, _ in seen_in(other)
        if name.startswith(f"{shard.name}/")
    }
    held = [at for digest, at in links.items() if digest in seen and type(at) is int]
    ends = [at for at in links.values() if type(at) is int]
    return max(ends) - max(held) if held and ends else 0


def _lived_us(shard: ShardChains) -> int:
    at = [link.said.get("monotonic_us") for link in shard.links()]
    known = [one for one in at if type(one) is int]
    return max(known) - min(known) if known else 0


def _saw_all(shard: ShardChains) -> bool:
    """Whether a watcher looked at all others when it ended."""
    last = list(shard.links())[-1:]
    return any(link.kind == LinkKind.END and link.said.get("seen_all") is True for link in last)


def _life_faults(case: Case, shard: ShardChains) -> Iterator[str]:
    """Links of another time than the attempt's, as those are that were made again later."""
    ended_us = read_json(case.attempt.ended).get("t_us")
    begun_us = case.run.provenance.get("t_us")
    if type(ended_us) is not int:
        return
    low = begun_us - LIFETIME_SLACK_US if type(begun_us) is int else 0
    for link in shard.links():
        at_us = link.said.get("wall_us")
        if type(at_us) is not int or not low <= at_us <= ended_us + LIFETIME_SLACK_US:
            yield f"link {link.number} of {shard.name} was not made in the attempt's life"
            return


def _follower_faults(case: Case, shard: ShardChains) -> Iterator[str]:
    """More chains than the record says that writers followed each other."""
    followed = 0
    if shard.name.startswith(_SAMPLES):
        host = shard.name.removeprefix(_SAMPLES)
        path = case.attempt.watchers / f"{host}.exit.json"
        deaths = read_json(path).get("deaths") if path.is_file() else None
        restarts = case.run.hosts.get(host, {}).get("restarts")
        followed = len(deaths) if isinstance(deaths, list) else 0
        followed = max(followed, restarts if type(restarts) is int else 0)
    if len(shard.chains) - 1 > followed:
        yield f"{shard.name} has {len(shard.chains)} chains, and {followed} writers followed one"


def _told_faults(case: Case, shards: list[ShardChains]) -> Iterator[str]:
    """Heads that were told outside while the run went on, and are no chain's here."""
    path = case.attempt.heads
    told = read_json(path).get("heads") if path.is_file() else []
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        yield "heads.json must hold a list of heads, but does not"
        return
    chains = by_name(shards)
    for one in told:
        name, number = str(one.get("chain")), one.get("number")
        links = chains[name].links if name in chains else ()
        if type(number) is not int or not 0 <= number < len(links):
            yield f"link {number} of {name} was told outside, and is not there"
        elif links[number].sha256 != one.get("sha256"):
            yield f"link {number} of {name} is another one than was told outside"


def _died(case: Case, shard: ShardChains) -> bool:
    """Whether a watcher's own files say that it did not end in order, or had no room to say so."""
    if not shard.name.startswith(_SAMPLES):
        return False
    host = shard.name.removeprefix(_SAMPLES)
    own, exit_path = (case.attempt.watchers / f"{host}{end}.json" for end in ("", ".exit"))
    log = read_json(own) if own.is_file() else {}
    left = read_json(exit_path) if exit_path.is_file() else {}
    events = log.get("events")
    told = [one.get("what") for one in events if isinstance(one, dict)] if events else []
    full = "disk_trouble" in told and "disk_recovered" not in told
    return log.get("end_reason") is None or left.get("exit_code", 0) != 0 or full


CHAIN_CHECKS: Final = (
    Check(
        name="chain",
        claim="parts are what was linked while they were written",
        severity=Severity.WRONG,
        rule=(
            "the links of every writer hold each other from the first to its end, stand on "
            "spec.json, launch.json, provenance.json and started.json, and hold the bytes of every "
            "part and the rows that it had whenever one was made; no part is without a link and no "
            "link without its part"
        ),
        tolerance=f"none; links are of the attempt's life give or take {_SLACK_S:.0f} s",
        reason="a digest is the same or it is not; clocks of hosts agree to far less",
        rules_out=(
            "a part that was changed, left out, moved or added, by who does not make all links "
            "after it again"
        ),
        look=chain_unbroken,
    ),
    Check(
        name="link-keys",
        claim="links are signed by keys that ended with the run",
        severity=Severity.WEAK,
        rule=(
            "every link of a watcher is signed by the key of its chain's first, of which its node "
            "told when it was ready; every head that a link holds is its chain's; the last link of "
            "each rank is in one of its node's watcher"
        ),
        tolerance="none",
        reason="a signature verifies or it does not; keys were in the watchers' memory alone",
        rules_out=(
            "links that were made after the end under a key of the run: who changes one node's has "
            "to make all of that node's again, its ready record and its ranks' with them"
        ),
        look=links_signed,
    ),
    Check(
        name="countersigned",
        claim="nodes hold the links of each other",
        severity=Severity.WEAK,
        rule="each node's watcher holds heads of every other's, in order, none before it was made",
        tolerance=f"{_SLACK_S:.0f} s between two nodes' clocks; a node that was watched for less "
        f"than {_UNSEEN_US // US_PER_S} s may have seen none",
        reason="clocks agree to far less; a shared file system may hide a new file for a minute",
        rules_out="one node's links made again after the end, unless all nodes' were",
        look=nodes_countersign,
    ),
)
"""Checks of what was written while the run went on, in the audit's order."""
