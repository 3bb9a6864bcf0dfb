"""The engine's process: choose the plugs, recover, trade, say how it ended.

`python -m bog.run` reads one spec (JSON, integers in the core's units) from standard input and
writes a line of JSON for each market that is ready and, at the end, for each that is done.
bog-live starts it and gives signals their meaning; this process takes only TERM, as a drain, also
when its parent dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any

from bog._core.huginn import FeedState
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.link import Link
from bog._core.loop import Session, follow_parent
from bog._core.market import Market
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.shm import object_path
from bog._core.source import Source, open_source
from bog._core.stats import StatsPage, name_process
from bog._core.types import Side, StateWord
from bog.errors import BogError, ConfigError, DataError, FeedError
from bog.facts import halt_name
from bog.host import Host
from bog.recovery import Recovered, recover, resting_of
from bog.spec import DEX, LIVE, PAPER, ProcessSpec, Spec, raw_market

VENUE_FIELDS_OF_MARKET = (
    *("net_ns", "response_ns", "maker_ns", "cancel_ns", "amend_ns", "taker_ns", "maker_ppm"),
    *("taker_ppm", "min_qty", "min_notional", "requests_per_min", "max_open_orders"),
)


def open_market(spec: Spec) -> Market:
    """Return the built-in market; its funding, margin and fees are those of the venue's tier."""
    feed = spec["feed"]
    venue = {name: spec["venue"][name] for name in VENUE_FIELDS_OF_MARKET}
    venue["balance"] = spec["balance"]
    try:
        return Market(
            feed["seed"],
            feed["preset"],
            price_decimals=spec["price_decimals"],
            size_decimals=spec["size_decimals"],
            start_ns=feed["start_ns"],
            market_id=spec["market"],
            symbol=spec["symbol"],
            venue=venue,
            script=feed["script"],
        )
    except ValueError as error:
        raise ConfigError(f"built-in market: {error}") from None


def open_recording(spec: Spec) -> Source:
    """Return the recording, read at the scale of its own or of the configured market."""
    feed = spec["feed"]
    try:
        recording = open_source(
            feed["path"],
            spec["market"],
            price_decimals=spec["price_decimals"],
            size_decimals=spec["size_decimals"],
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{'loop' if feed['loop'] else 'replay'}:{feed['path']}: {error}") from None
    if feed["loop"]:
        recording.loop()
    return recording


def open_reader(spec: Spec) -> Reader:
    """Return a reader of the running feed's shared memory."""
    try:
        return Reader(
            spec["market"],
            directory=spec["feed"]["directory"],
            price_decimals=spec["price_decimals"],
            size_decimals=spec["size_decimals"],
        )
    except (FeedError, OSError, ValueError) as error:
        path = object_path(DEX, spec["market"], spec["feed"]["directory"])
        if isinstance(error, FeedError) and os.path.lexists(path):
            raise ConfigError(f"the feed of market {spec['market']} is refused: {error}") from None
        raise DataError(
            f"no feed of market {spec['market']}: {error} (start one with"
            f" `bog-feed --market {spec['market']}`, or use --feed sim)"
        ) from None


def open_publisher(spec: Spec) -> Publisher | None:
    """Return the embedded feed's publisher, so that others see the market that we trade on."""
    if not spec["feed"]["publish"]:
        return None
    try:
        return Publisher(
            spec["market"],
            directory=spec["feed"]["directory"],
            price_decimals=spec["price_decimals"],
            size_decimals=spec["size_decimals"],
        )
    except (FeedError, OSError, ValueError) as error:
        raise DataError(f"cannot publish market {spec['market']}: {error}") from None


def open_link(spec: Spec) -> Link:
    """Return the link to the gateway that bog-live has made."""
    try:
        return Link.open(spec["link"], raw_market(spec["market"]))
    except (OSError, ValueError) as error:
        raise BogError(f"no link to the gateway: {error}") from None


def check_clear_halt(halt_id: int, recovered: Recovered) -> None:
    """Refuse to clear a halt that is not the newest one that stands; 0 asks for nothing."""
    standing, newest = (recovered.words[w] for w in (StateWord.W_HALT, StateWord.W_HALT_ID))
    if not halt_id or (standing and halt_id == newest):
        return
    right = f"want {newest}, {halt_name(standing)}" if standing else "no halt stands: leave it out"
    raise ConfigError(f"--clear-halt {halt_id}: no such halt: {right}")


def check_adopt(adopt: list[int], recovered: Recovered) -> tuple[int, int, int] | None:
    """Return side, lots and cost to begin with; refuse when the journal moved since it was agreed to."""
    if not adopt:
        return None
    ours, theirs, cost = adopt
    held = recovered.words[StateWord.W_POS]
    if held != ours:
        raise ConfigError(
            f"--arm: the journal's position is {held} lots, and was {ours} when bog-arm asked: run"
            " bog-arm again"
        )
    return int(Side.ASK if theirs < 0 else Side.BID), abs(theirs), cost


def prepare(spec: Spec, page: StatsPage) -> tuple[Lane, JournalFile, Recovered, Any]:
    """Return a lane that is recovered and ready to run, its journal, what it recovered, its feed."""
    raw = raw_market(spec["market"])
    recovered = recover(spec["journal"], raw, account=spec["account"], segments=spec["segments"])
    check_clear_halt(spec["clear_halt"], recovered)
    adopt = check_adopt(spec["adopt"], recovered)
    check_mode(spec, recovered)
    plugs: dict[str, Any] = {}
    kind = spec["feed"]["kind"]
    if kind == "sim":
        plugs["market"] = open_market(spec)
    elif kind == "replay":
        plugs["source"] = open_recording(spec)
    else:  # a running feed, which bog-live may have started itself
        plugs["reader"] = open_reader(spec)
        spec["limits"]["unix_offset_ns"] = time.time_ns() - time.monotonic_ns()
    (feed,) = plugs.values()
    plugs["publisher"] = open_publisher(spec)
    if spec["link"]:
        plugs["link"] = open_link(spec)
    journal = JournalFile(
        spec["journal"],
        market=raw,
        run=recovered.next_run,
        price_decimals=spec["price_decimals"],
        size_decimals=spec["size_decimals"],
        account=spec["account"],
        run_id=spec["run_id"],
        build=spec["build"],
        config_hash=bytes.fromhex(spec["config_hash"]),
        mode=spec["mode"],
        segments=spec["segments"],
        rotate=spec["rotate"],
    )
    core = {
        "market": raw,
        "run": recovered.next_run,
        "limits": spec["limits"],
        "strategy": spec["strategy"],
        "venue": spec["venue"],
        "price_decimals": spec["price_decimals"],
        "size_decimals": spec["size_decimals"],
        "speed_ppm": spec["speed_ppm"],
        "duration_ns": spec["duration_ns"],
        "mode": spec["mode"],
    }
    try:
        lane = Lane(core, page, journal, **plugs)
        lane.start(recovered, spec["clear_halt"], adopt)
    except ValueError as error:
        journal.close()
        raise ConfigError(str(error)) from None
    return lane, journal, recovered, feed


def tightened_of(recovered: Recovered, page: StatsPage) -> list[dict[str, Any]]:
    """Return the limits that an operator of the run before tightened, and which of them still stand."""
    now = page.snapshot()
    return [
        {
            "limit": one.limit,
            "value": one.value,
            "uid": one.uid,
            "configured": now["configured"][one.limit] or now["limit"][one.limit],
            "kept": now["configured"][one.limit] > 0,
        }
        for one in recovered.limits
    ]


def check_mode(spec: Spec, recovered: Recovered) -> None:
    """Refuse a journal of the other mode: paper would declare dead what rests at the venue."""
    before = spec["mode"] if recovered.header is None else recovered.header.mode
    if before != spec["mode"]:
        names = {PAPER: "paper", LIVE: "live"}
        raise ConfigError(
            f"journal.directory = {spec['journal']!r} holds a {names.get(before, before)} run, this is"
            f" {names[spec['mode']]}: give each a directory of its own"
        )


def serve(process: ProcessSpec, say: Any) -> int:
    """Run the lanes to their end and return the worst exit code; `say` takes one dict a line."""
    spec = process["lanes"][0]
    pages = [StatsPage.open(one["page"], writable=True) for one in process["lanes"]]
    # the first page's level is that of the process
    pages[0].install_signals(whole=False)
    follow_parent()
    if os.getppid() != spec["parent"]:
        raise BogError(f"bog-live, process {spec['parent']}, died before the engine began")
    host = Host(spec)
    host.settle()
    lanes, journals, feeds = [], [], []
    for one, page in zip(process["lanes"], pages, strict=True):
        lane, journal, recovered, feed = prepare(one, page)
        lanes.append(lane)
        journals.append(journal)
        feeds.append(feed)
        words = lane.words()
        say(
            {
                "event": "ready",
                "market": one["market"],
                "journal": journal.path,
                "run": recovered.next_run,
                "recovered_run": recovered.run,
                "cut": recovered.cut,
                "void": recovered.void,
                "canceled": 0 if one["link"] else len(recovered.open_orders),
                "orders": resting_of(recovered) if one["link"] else [],
                "position": words[StateWord.W_POS],
                "trade": recovered.words[StateWord.W_TRADE],
                "funded": recovered.words[StateWord.W_FUNDED],
                "first": words[StateWord.W_NEXT_ORDER_ID],
                "halt": words[StateWord.W_HALT],
                "halt_id": words[StateWord.W_HALT_ID],
                "limits": tightened_of(recovered, page),
                "silent": _silence(feed, one) if isinstance(feed, Reader) else "",
            }
        )
    try:
        session = Session(
            lanes, spec["speed_ppm"], host.pinned, process["portfolio_limit"], host.realtime
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    host.begin()
    say(
        {
            "event": "begins",
            "refused": host.refused,
            "host": host.granted(),
            "faults_before": host.faults_before,
        }
    )
    worst = int(session.run())
    granted = host.granted()
    for i, code in enumerate(session.codes()):
        sealed = journals[i].close()
        failed = lanes[i].failed()
        say(
            {
                "event": "done",
                "market": process["lanes"][i]["market"],
                "code": code,
                "ended": lanes[i].ended_by(),
                "failed": failed or ("" if sealed else "the journal could not be flushed to disk"),
                "words": lanes[i].words(),
                "paper": lanes[i].paper_counts(),
                "feed": _feed_facts(feeds[i]),
                "host": granted,
            }
        )
    return worst


def _silence(feed: Reader, spec: Spec) -> str:
    """Return why nothing will come from a feed in shared memory for now, "" when it lives."""
    header = feed.header()
    age_ns = time.monotonic_ns() - header["heartbeat_ns"]
    if header["state"] == FeedState.HG_CLOSED:
        return "its writer has ended"
    if age_ns > spec["limits"]["stale_after_ns"]:
        return f"its writer has been silent for {age_ns / 1e9:.1f} s"
    return ""


def _feed_facts(feed: Any) -> dict[str, Any]:
    """Return what identifies the data of this run, for its report."""
    if isinstance(feed, Source):
        return {"name": feed.name, "format": feed.format, "rows": feed.rows, "note": feed.note}
    if isinstance(feed, Market):
        return {"name": "built-in market", **feed.counters}
    return {"name": feed.path, "epochs": feed.epochs, "laps": feed.laps, "torn": feed.torn}


def main() -> None:
    """Entry of the engine process."""
    name_process("bog-engine")

    def say(line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # a parent that died needs no answer
            print(json.dumps(line), flush=True)

    said = sys.stdin.readline()
    if not said.endswith("\n"):
        return  # a bog-live that ended before it knew what to trade
    process: ProcessSpec = json.loads(said)
    try:
        code = serve(process, say)
    except BogError as error:
        say({"event": "error", "code": error.exit_code, "message": str(error)})
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
