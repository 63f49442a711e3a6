"""Whether tasks survive: a restart, a full memory, the loss of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.adapters.redis.checks.sight import Sight

__all__ = ["disk", "evicted", "eviction", "memory", "persistence", "replicas"]

#: The share of the memory above which there is a warning.
_NEARLY: Final = 0.85


def persistence(sight: Sight) -> Finding | None:
    """Says what a restart of the server leaves."""
    if not sight.info:
        return None
    if sight.number("aof_enabled"):
        return _log(sight.settings.get("appendfsync"))
    save = sight.settings.get("save")
    if save == "":
        text = "Nothing is written to disk: a restart of the server loses all tasks."
    elif save is None:
        text = "The log of writes is off: a restart of the server may lose tasks."
    else:
        text = f"Only snapshots are taken (save {save}): a crash loses all tasks since the last."
    return Finding("warning", "persistence", text, "Set appendonly yes.")


def _log(sync: str | None) -> Finding:
    if sync == "always":
        text = "Acknowledged tasks survive a crash of the server and of its machine."
        return Finding("ok", "persistence", text)
    if sync == "no":
        return Finding(
            "warning",
            "persistence",
            "The system decides when writes reach the disk: a loss of power may take the last half"
            " a minute.",
            "Set appendfsync everysec, or always.",
        )
    return Finding(
        "ok",
        "persistence",
        "Acknowledged tasks survive a crash of the server; a loss of power may take the last one"
        " or two seconds.",
        "Set appendfsync always if they must survive that too.",
    )


def disk(sight: Sight) -> Finding | None:
    """Says whether the last writes to disk succeeded."""
    steps = {
        "aof_last_write_status": "write to the log",
        "aof_last_bgrewrite_status": "rewriting of the log",
        "rdb_last_bgsave_status": "snapshot",
    }
    told = {words: sight.info.get(field) for field, words in steps.items()}
    failed = [words for words, status in told.items() if status not in {"ok", None}]
    if failed:
        return Finding(
            "error",
            "disk",
            f"The last {' and the last '.join(failed)} failed; the server may refuse tasks.",
            "Look at the log of the server, and at the space and rights of its directory.",
        )
    if not sight.info:
        return None
    return Finding("ok", "disk", "The last write of each kind succeeded.")


def eviction(sight: Sight) -> Finding | None:
    """Says whether the server may throw tasks away to make room."""
    if not sight.info:
        return None
    policy = sight.info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        text = "When memory is full, new tasks are refused and none is dropped."
        return Finding("ok", "eviction", text)
    fix = "Set maxmemory-policy noeviction."
    if not sight.number("maxmemory"):
        text = f"The policy is {policy}, which drops nothing as long as maxmemory is 0."
        return Finding("ok", "eviction", text, fix)
    if str(policy).startswith("volatile"):
        text = f"When memory is full, results of tasks are dropped (maxmemory-policy {policy})."
        return Finding("warning", "eviction", text, fix)
    text = f"When memory is full, tasks are dropped (maxmemory-policy {policy})."
    return Finding("error", "eviction", text, fix)


def evicted(sight: Sight) -> Finding | None:
    """Says whether it already has thrown something away."""
    count = sight.number("evicted_keys")
    if not count:
        return None
    return Finding(
        "warning",
        "evicted keys",
        f"The server has dropped {count} keys for lack of memory since it started.",
        "Raise maxmemory and set maxmemory-policy noeviction; look for tasks that are missing.",
    )


def memory(sight: Sight) -> Finding | None:
    """Says how much room there is."""
    used, limit = sight.number("used_memory"), sight.number("maxmemory")
    whole = limit or sight.number("total_system_memory")
    if not used or not whole:
        return None
    share = used / whole
    of = f"maxmemory ({_size(limit)})" if limit else f"the machine's memory ({_size(whole)})"
    text = f"{_size(used)} are used, {share:.0%} of {of}."
    if share < _NEARLY:
        return Finding("ok", "memory", text)
    fix = (
        "Raise maxmemory, keep results for a shorter time (result_ttl), or let workers catch up."
        if limit
        else "Add memory and set maxmemory, keep results for a shorter time (result_ttl), or let"
        " workers catch up."
    )
    return Finding("error" if limit and used >= limit else "warning", "memory", text, fix)


def replicas(sight: Sight) -> Finding | None:
    """Says what would take over."""
    if not sight.info:
        return None
    count = sight.number("connected_slaves")
    if count:
        return Finding(
            "ok",
            "replicas",
            f"{count} copy the data, a moment later: what was acknowledged in that moment is lost"
            " if one of them takes over.",
        )
    if sight.target.sentinel is not None:
        text = "The master has none, so the Sentinels have nothing to put in its place."
        return Finding("warning", "replicas", text, "Start a replica of it.")
    return None


def _size(count: int) -> str:
    """Returns a number of bytes as people read it."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
