"""What the bus says of any page and any record: of its type, exact, and as docs/formats.md has it."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bog import messages
from bog._core.stats import RunState
from bog._core.types import JournalKind
from bog.messages import EVENTS, MESSAGES, STATES, Event, Exact, Head
from bog.recovery import NAMES
from bog.speaker import JournalSpeaker
from bog.units import scaled
from tests.rig.bus import described, flaws, is_valid

ROOT = Path(__file__).resolve().parents[2]
ABOUT: Any = {"market": 1, "price_decimals": 1, "size_decimals": 5}
whole = st.integers(-(2**63), 2**63 - 1)
count = st.integers(0, 2**63 - 1)
code = st.integers(0, 255)
orders = st.lists(
    st.fixed_dictionaries({
        **dict.fromkeys(("id", "px", "qty", "filled"), count), "side": st.integers(0, 1),
        "state": code,
    })
)  # fmt: skip
pages = st.fixed_dictionaries({
    **dict.fromkeys(("bid", "ask", "mark2", "equity2", "daily2", "unrealized2", "now_ns"), whole),
    **dict.fromkeys(("bid_qty", "ask_qty", "alive_ns", "beat_mono", "run", "fills", "gaps",
                     "halt_id"), count),
    **dict.fromkeys(("level", "halt", "strategy", "connection"), code),
    "state": st.sampled_from(RunState), "stale": st.integers(0, 1),
    "quote_px": st.lists(count, min_size=2, max_size=2),
    "quote_qty": st.lists(count, min_size=2, max_size=2),
    "why": st.lists(code, min_size=2, max_size=2),
    "orders": orders,
    "position": st.fixed_dictionaries(dict.fromkeys(("pos", "realized", "fees", "funding"), whole)),
})  # fmt: skip


def back(text: str, decimals: int) -> int:
    """Return a message's decimal in the page's steps, of any size."""
    return scaled(text, decimals, high=2**70)


@given(pages, count)
def test_law_every_page_is_said_in_messages_of_their_types(page: Any, mono_ns: int) -> None:
    said = messages.states(page, ABOUT, mono_ns)
    assert said.keys() == STATES.keys()
    for name, body in said.items():
        assert not flaws(json.loads(json.dumps(body)), STATES[name])


@given(pages)
def test_law_decimals_come_back_as_the_numbers_that_they_were(page: Any) -> None:
    said = json.loads(json.dumps(messages.states(page, ABOUT, 0)))
    book, pnl = said["book"], said["pnl"]

    assert back(book["bid_size"], 5) == page["bid_qty"]
    assert book["bid"] is None if not page["bid_qty"] else back(book["bid"], 1) == page["bid"]
    assert book["ask"] is None if not page["ask_qty"] else back(book["ask"], 1) == page["ask"]
    if book["mid"] is not None:
        assert back(book["mid"], 2) == (page["bid"] + page["ask"]) * 5
        assert back(book["spread"], 1) == page["ask"] - page["bid"]
        assert 0 < page["bid_qty"] and 0 <= book["imbalance_ppm"] < 10**6
    assert back(pnl["position"], 5) == page["position"]["pos"]
    for name in ("realized", "fees", "funding"):
        assert back(pnl[name], 6) == page["position"][name]
    for name, of in (("pnl", "equity2"), ("pnl_today", "daily2"), ("unrealized", "unrealized2")):
        assert back(pnl[name], 7) == page[of] * 5
    for side, name in enumerate(("buy", "sell")):
        assert back(said["quotes"][name]["price"], 1) == page["quote_px"][side]
        assert back(said["quotes"][name]["size"], 5) == page["quote_qty"][side]


records = st.fixed_dictionaries({
    **dict.fromkeys(NAMES, count), **dict.fromkeys(("time_ns", "px", "qty", "val"), whole),
    "kind": st.sampled_from([*map(int, JournalKind), 255]), "side": st.integers(0, 1),
    "reason": code, "state": code, "market": st.just(1_000_001),
})  # fmt: skip


@given(st.lists(records, max_size=20))
def test_law_every_record_of_a_journal_is_said_in_a_message_of_its_type(recs: Any) -> None:
    said: list[tuple[Any, Any, Any]] = []
    speaker = JournalSpeaker(
        1, 5, write=lambda *_, **__: None, also=lambda *each: said.append(each)
    )
    for rec in recs:
        speaker.say(rec)
    silent = {JournalKind.J_STATE, JournalKind.J_ORDER}
    assert len(said) == sum(rec["kind"] not in silent for rec in recs)
    for rec, words, stamp in said:
        name = words[1]
        body = json.loads(json.dumps(messages.event(rec["seq"], words, stamp)))
        assert not flaws(body, EVENTS[name]), flaws(body, EVENTS[name])
        assert body["record"] == rec["seq"]
        if name == "fill":
            assert back(body["price"], 1) == rec["px"] and back(body["size"], 5) == rec["qty"]
            assert back(body["fee"], 6) == rec["val"]


def test_a_wrong_message_is_noticed() -> None:
    for good, bad in (("0.50", 0.5), ("-1", "1e3"), ("7", "07"), ("0", ""), ("1", "NaN")):
        assert is_valid(good, Exact) and not is_valid(bad, Exact)
    assert flaws({"missed": 1}, EVENTS["gap"])
    gap = {"record": 1, "event_time": None, "severity": "WARNING", "message": "x", "missed": 1}
    assert not flaws(gap, EVENTS["gap"])
    for wrong in ({"missed": True}, {"missed": 1.0}, {"more": 1}, {"event_time": "now"}):
        assert flaws(gap | wrong, EVENTS["gap"])


def test_the_formats_have_every_message_as_its_type_is() -> None:
    text = (ROOT / "docs" / "formats.md").read_text().split("\n## Telemetry")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_, `]+)` \| (.*) \|$", text, flags=re.M))
    written = {name: row for names, row in rows.items() for name in re.findall(r"\w+", names)}
    wanted = {
        "head": described(Head),
        "event": described(Event),
        **{name: described(kind) for name, kind in STATES.items()},
        **{
            name: described(kind, tuple(Event.__annotations__)) or "none"
            for name, kind in EVENTS.items()
        },
    }
    assert written == wanted
    assert len(MESSAGES) == len(STATES) + len(EVENTS)  # a topic has one meaning
