"""The desk against a model of the venue in virtual time: lost words, faults of nonces, doubles."""

import contextlib
import os
import random

import pytest

from bog._core.link import LinkCommand as Command
from bog._core.types import CommandKind, Reject, ReportKind, Tif
from bog.lighter import codec
from bog.lighter.asks import Asks
from bog.lighter.budget import Budget, Tier
from bog.lighter.desk import NEVER, Desk, Key, Rules
from bog.lighter.fate import Fates, Report
from bog.lighter.nonces import Nonces
from bog.lighter.once import Once
from bog.lighter.rows import RowError, Scale, order_view, tx_view
from tests.rig.signing import signer_of
from tests.rig.venue_model import ACCOUNT, Odds, VenueModel

MS = 1_000_000
M = 1_000_001
FULL = os.environ.get("FAULT_REPEATS") == "full"
WIDE = Tier(10**9, 10**9, shared=False)
CREATE, CANCEL, AMEND, ALL = (
    CommandKind.CMD_PLACE, CommandKind.CMD_CANCEL, CommandKind.CMD_AMEND, CommandKind.CMD_CANCEL_ALL,
)  # fmt: skip


class Rig:
    """A desk, its questions and a model of the venue; the clock is in ms."""

    def __init__(self, odds: Odds | None = None, seed: int = 1, tier: Tier = WIDE,
                 **rules: object) -> None:  # fmt: skip
        self.venue = VenueModel(random.Random(seed), odds or Odds())
        self.rules = Rules(**rules)
        keys = [
            Key(name, index, signer_of(index, key_index=index), Nonces(self.rules.skew_ms))
            for name, index in (("trade", 4), ("guard", 5))
        ]
        self.desk = Desk(
            self.rules, {M: Scale(1, 1, 5)}, *keys, Budget(tier),
            Fates(Once(), self.rules.verdict_ns),
        )  # fmt: skip
        self.asks = Asks(self.desk, ACCOUNT)
        self.asks.marks = dict.fromkeys(self.desk.markets, 0)
        self.desk.connected = self.desk.open = True
        self.reports: list[Report] = []
        self.sent: list[codec.Frame | bytes] = []
        self.settle(50)

    @property
    def now(self) -> int:
        return self.venue.ms * MS

    def command(self, kind: int, id: int = 0, px: int = 583_000, qty: int = 100, side: int = 0,
                tif: int = Tif.TIF_POST_ONLY, age_ms: int = 0) -> Command:  # fmt: skip
        return Command(1, kind, id, side, px, qty, tif, 0, self.now - age_ms * MS, NEVER, M)

    def do(self, *commands: Command) -> None:
        self.desk.take(commands, self.now, self.venue.ms)
        self.flush()

    def flush(self) -> None:
        for message in self.desk.out:
            self.sent.append(message.text)
            self.venue.send(message.text, [p.hash for p in message.payloads])
        self.desk.out.clear()
        self.reports += self.desk.fates.reports
        self.desk.fates.reports.clear()

    def hear(self, data: bytes) -> None:
        frame = codec.frame(data)
        if frame.id:
            self.desk.answered(frame.id, frame.hashes, frame.refusal, frame.volume_quota_remaining)
        for rows in (frame.orders or {}).values():
            for row in rows or []:
                view = order_view(row, Scale(1, 1, 5))._replace(market=M)
                self.desk.fates.saw_order(view, self.now)
        for rows in (frame.trades or {}).values():
            for row in rows or []:
                self.asks.trade(row, self.now)
        for row in frame.txs or []:
            self.desk.fates.ran(tx_view(row))

    def step(self, ms: int = 20) -> None:
        self.venue.step(ms)
        heard, self.venue.answers = self.venue.answers, []
        for data in heard:
            self.hear(data)
        self.desk.tick(self.now, self.venue.ms)
        self.asks.look_for_txs()
        ask = self.asks.next()
        if ask is not None:
            with contextlib.suppress(RowError):
                self.asks.answered(ask, *self.venue.get(ask.path), self.now)
        self.flush()

    def settle(self, ms: int = 1000) -> None:
        for _ in range(ms // 20):
            self.step()

    def told(self) -> list[tuple[int, str]]:
        reports, self.reports = self.reports, []
        return [(r.order_id, ReportKind(r.kind).name[4:]) for r in reports]


def test_a_create_a_fill_and_a_cancel() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    assert rig.told() == [(7, "ACK")]
    rig.venue.fill(rig.venue.live()[0], 40)
    rig.do(rig.command(CANCEL, 7))
    rig.settle(100)
    assert rig.told() == [(7, "FILL"), (7, "CANCELED")]
    assert rig.venue.live() == [] and rig.desk.said == []


def test_an_amend_is_one_transaction() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    rig.do(rig.command(AMEND, 7, px=583_100, qty=120))
    rig.settle(100)
    assert rig.told() == [(7, "ACK"), (7, "AMENDED")]
    (order,) = rig.venue.live()
    assert (order.px, order.qty) == (583_100, 120) and len(rig.sent) == 2


def test_several_commands_leave_in_one_message_in_their_order() -> None:
    rig = Rig()
    rig.do(*(rig.command(CREATE, n, px=583_000 - n) for n in range(1, 19)))
    assert [b"sendtxbatch" in text for text in rig.sent] == [True, True][: len(rig.sent)]
    rig.settle(100)
    assert rig.told()[:2] == [(13, "REJECT"), (14, "REJECT")], "twelve are under way at most"
    assert [o.client for o in rig.venue.live()] == list(range(1, 13))


def test_a_cancel_of_an_order_that_never_left_is_of_no_gateway_before_this_one() -> None:
    """The engine cancels before it hears of the refusal: that order is dead, not unknown."""
    rig = Rig()
    late = Rules().age_ns // MS + 1
    rig.do(rig.command(CREATE, 7, age_ms=late), rig.command(CANCEL, 7))
    assert rig.told() == [(7, "REJECT"), (7, "CANCEL_REJECT")]
    assert rig.desk.fates.live == {} and rig.sent == []


def test_where_a_batch_would_cost_the_free_cancels_each_goes_alone() -> None:
    rig = Rig(tier=Tier(10**9, 10**9, False, quota=100))
    rig.do(rig.command(CREATE, 1), rig.command(CREATE, 2, px=582_000))
    rig.settle(100)
    assert len(rig.sent) == 1
    rig.do(rig.command(CANCEL, 1), rig.command(CREATE, 3, px=581_000))
    assert len(rig.sent) == 3


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"age_ms": 1001}, Reject.REJ_OTHER), ({"tif": Tif.TIF_IOC}, Reject.REJ_OTHER),
        ({"tif": 9}, Reject.REJ_OTHER), ({"px": 2**33}, Reject.REJ_PRICE),
        ({"qty": 0}, Reject.REJ_LOT), ({"id": 0}, Reject.REJ_DUPLICATE),
        ({"id": 2**48}, Reject.REJ_DUPLICATE),
    ],
)  # fmt: skip
def test_what_must_not_leave_is_refused_here(change: dict, reason: int) -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, **{"id": 7, **change}))
    assert [r.reason for r in rig.reports] == [reason] and rig.sent == []


def test_an_order_id_is_sent_once() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7), rig.command(CREATE, 7))
    rig.settle(100)
    assert rig.told() == [(7, "REJECT"), (7, "ACK")] and rig.venue.creates == [7]


def test_nothing_but_cancels_leaves_while_not_open_or_halted() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    rig.desk.halt("a test")
    rig.told()
    rig.do(rig.command(CREATE, 8), rig.command(AMEND, 7, px=1), rig.command(CANCEL, 7))
    rig.settle(100)
    assert rig.told() == [(8, "REJECT"), (7, "AMEND_REJECT"), (7, "CANCELED")]


def test_a_cancel_goes_with_the_guardians_key_when_the_trading_key_cannot_bind() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    rig.desk.trade.nonces.lost()
    rig.do(rig.command(CANCEL, 7))
    assert b'"ApiKeyIndex":5' in rig.sent[-1]
    rig.settle(100)
    assert rig.venue.live() == []


def test_a_cancel_that_no_key_can_take_waits_and_leaves_when_one_can() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    for key in rig.desk.keys:
        key.nonces.lost()
    rig.do(rig.command(CANCEL, 7))
    assert list(rig.desk.waiting) == [7]
    rig.settle(200)
    assert rig.desk.waiting == {} and rig.venue.live() == []


def test_a_window_full_of_lost_numbers_opens_when_they_have_expired() -> None:
    """They were asked for before they expired, and nothing asked again."""
    rig = Rig(Odds(request_lost=1.0), batch=False)
    rig.do(*(rig.command(CREATE, n, px=583_000 - n) for n in range(1, 13)))
    rig.settle(3000)
    rig.venue.odds = Odds()
    rig.settle(1000)
    trading = rig.desk.keys[0].nonces
    assert trading.waiting == 12 and not trading.may_bind(cancels=False)
    rig.settle(30_000)
    assert trading.waiting == 0
    rig.do(rig.command(CREATE, 13))
    rig.settle(100)
    assert [o.client for o in rig.venue.live()] == [13]


def test_a_cancel_that_found_no_order_is_not_repeated_before_the_order_was_asked_for() -> None:
    """An engine repeats at once what was refused: no storm of it reaches the venue."""
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    rig.venue.odds.frames_lost = 1.0
    rig.venue.fill(rig.venue.live()[0], 100)
    rig.venue.odds.frames_lost, rig.venue.odds.rest_error = 0.0, 1.0
    rig.told()
    begun, refused = len(rig.sent), 1
    for _ in range(100):  # two seconds
        if refused:
            rig.do(rig.command(CANCEL, 7))
        rig.step()
        refused = rig.told().count((7, "CANCEL_REJECT"))
    assert 2 <= len(rig.sent) - begun <= 4, "one a second, for nobody says what became of it"
    rig.venue.odds.rest_error = 0.0
    rig.settle(3000)
    assert (7, "FILL") in rig.told() and not rig.desk.fates.live


def test_a_cancel_of_an_unknown_order_adopts_it() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    other = Rig()
    other.venue.orders, other.venue.nonces = rig.venue.orders, rig.venue.nonces
    for key in other.desk.keys:
        key.nonces.lost()
    other.settle(200)
    other.do(other.command(CANCEL, 7))
    other.settle(3000)
    assert other.told() == [(7, "CANCELED")] and other.venue.live() == []


@pytest.mark.parametrize("seed", range(20))
def test_an_order_of_a_run_whose_journal_was_lost_is_canceled_until_it_is_dead(seed: int) -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7), rig.command(CREATE, 12), rig.command(CREATE, 300))
    rig.settle(100)
    other = Rig(Odds(request_lost=0.3, frames_lost=0.3, rest_error=0.2), seed)
    other.venue.orders, other.venue.nonces = rig.venue.orders, rig.venue.nonces
    other.venue.count = rig.venue.count
    for key in other.desk.keys:
        key.nonces.lost()
    other.desk.fates.before = {M: range(10, 100)}
    other.desk.open = False  # nothing is quoted meanwhile
    other.asks.begin_round()
    other.settle(60_000)
    assert [o.client for o in other.venue.live()] == [7, 300], "neither is of a run of ours"
    assert not other.desk.fates.live and len(other.desk.fates.foreign) == 2
    assert other.told()[-1] == (12, "CANCELED")


def test_a_wrong_hash_in_an_answer_moves_nothing() -> None:
    rig = Rig(Odds(answer_lost=1, frames_lost=1))
    rig.do(rig.command(CREATE, 7))
    rig.desk.answered(1, ["ff" * 40], None, -1)
    assert rig.desk.said == ["the answer to message 1 names other transactions than it sent"]
    assert not rig.desk.fates.orders[7].create.taken
    rig.desk.answered("999", ["ff" * 40], None, -1)
    rig.desk.answered("", [], codec.Error(21104, "x"), -1)
    assert len(rig.desk.said) == 3 and rig.told() == []


def test_a_code_that_no_retry_mends_halts() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.desk.answered(1, [], codec.Error(21120, "invalid signature"), -1)
    assert "21120" in rig.desk.halted
    rig.flush()
    assert rig.told() == [(7, "REJECT")]


def test_too_many_requests_stop_creates_and_leave_cancels() -> None:
    rig = Rig()
    rig.do(rig.command(CREATE, 7))
    rig.settle(100)
    rig.do(rig.command(CREATE, 8, px=1))
    rig.desk.answered(2, [], codec.Error(23000, "Too Many Requests!"), -1)
    rig.settle(60)
    rig.told()
    rig.do(rig.command(CREATE, 9, px=2), rig.command(CANCEL, 7))
    assert rig.told() == [(9, "REJECT")]
    rig.settle(100)
    assert not any(o.client == 7 for o in rig.venue.live())


def test_a_market_is_emptied_and_the_switch_is_set() -> None:
    rig = Rig()
    rig.do(*(rig.command(CREATE, n, px=n) for n in range(1, 5)))
    rig.settle(100)
    rig.do(rig.command(ALL))
    assert b'"L2TxAttributes":{"5":1}' in rig.sent[-1]
    rig.settle(100)
    assert rig.venue.live() == []
    assert rig.desk.schedule(rig.venue.ms + 360_000)
    rig.flush()
    rig.settle(100)
    assert rig.venue.scheduled_ms > rig.venue.ms + 300_000


# the laws


def check(rig: Rig) -> None:
    """Compare what the engine was told with what is true, at rest."""
    venue = rig.venue
    assert len(venue.creates) == len(set(venue.creates)), "an intent was executed twice"
    fates = rig.desk.fates
    live = {o.client for o in venue.live()}
    believed = set(fates.live)
    assert believed == live, (believed - live, live - believed)
    told = sorted((r.venue_id, r.order_id, r.qty) for r in rig.reports
                  if r.kind == ReportKind.REP_FILL)  # fmt: skip
    true = sorted(
        (t["trade_id"], t["bid_client_id"] if t["bid_account_id"] == ACCOUNT else t["ask_client_id"],
         round(float(t["size"]) * 1e5)) for t in venue.trades
    )  # fmt: skip
    assert told == true
    assert fates.faults == [] and rig.desk.halted == ""
    for key in rig.desk.keys:
        assert key.nonces.waiting == 0


def empty(rig: Rig) -> None:
    """Heal the venue, cancel what lives until nothing does, and let everything settle."""
    rig.venue.odds = Odds()
    for _ in range(120):
        rig.settle(1000)
        live = list(rig.desk.fates.live)
        if not live:
            break
        rig.do(*(rig.command(CANCEL, id) for id in live))
    rig.asks.want_trades()
    rig.settle(2000)
    for _ in range(60):  # a number whose fate is unknown is proven by its expiry at the latest
        if not any(key.nonces.waiting for key in rig.desk.keys):
            break
        rig.settle(1000)
    assert rig.venue.live() == []


def trade(rig: Rig, orders: int, rng: random.Random) -> None:
    """Send so many orders, two sides, each replaced when its end was told and never before."""
    orders_of = rig.desk.fates.orders.values()
    id = max((o.id for o in orders_of), default=0)
    sides = {side: max((o.id for o in orders_of if o.side == side), default=0) for side in (0, 1)}
    asked, was_live, sent = {}, 0, 0
    while sent < orders:
        for side, at in sides.items():
            order = rig.desk.fates.orders.get(at)
            if order is None or order.ended:
                id += 1
                sides[side] = id
                rig.do(rig.command(CREATE, id, 583_000 + 10 * side, side=side))
                sent += id in rig.desk.fates.orders
            elif (order.unknown or rng.random() < 0.05) and rig.now - asked.get(at, 0) > 1000 * MS:
                asked[at] = rig.now
                rig.do(rig.command(CANCEL, at))
            elif order.acked and order.amend is None and rng.random() < 0.02:
                rig.do(rig.command(AMEND, at, order.px + rng.choice((-1, 1)), order.qty + 1, side))
        rig.step(100)
        was_live = max(was_live, len(rig.venue.live()))
    assert was_live <= 2, "something took the place of an order that was not proven dead"


@pytest.mark.timeout(7200 if FULL else 600)
@pytest.mark.parametrize("seed", range(4 if FULL else 2))
def test_10000_lost_acks_half_of_them_live_leave_none_double_and_none_forgotten(seed: int) -> None:
    """Every word about a create is lost but the answers to questions; half of the creates arrived."""
    rig = Rig(Odds(request_lost=0.5, answer_lost=1.0, frames_lost=1.0), seed=seed, batch=False)
    lost = 10_000 if FULL else 300
    trade(rig, lost, random.Random(seed))
    arrived = len(rig.venue.creates)
    print(f"{lost} creates without an answer or a frame, {arrived} of them executed")
    assert 0.2 * lost < arrived < 0.8 * lost, arrived
    empty(rig)
    check(rig)


@pytest.mark.parametrize("seed", range(200 if FULL else 6))
def test_law_any_mixture_of_losses_ends_in_the_truth(seed: int) -> None:
    rng = random.Random(seed)
    odds = Odds(
        request_lost=rng.choice((0, 0.02, 0.3)), answer_lost=rng.choice((0, 0.1, 0.5)),
        frames_lost=rng.choice((0, 0.1, 0.5)), refused=rng.choice((0, 0.1)),
        failed=rng.choice((0, 0.1)), rest_error=rng.choice((0, 0.2, 0.6)),
        filled=rng.choice((0, 0.3)), late_ms=rng.choice((0, 50, 4000)),
    )  # fmt: skip
    rig = Rig(odds, seed=seed)
    trade(rig, 300 if FULL else 100, rng)
    empty(rig)
    check(rig)


@pytest.mark.timeout(7200 if FULL else 600)
@pytest.mark.parametrize("seed", range(4))
def test_nonce_faults_at_random_leave_a_book_that_can_be_emptied(seed: int) -> None:
    """The venue refuses with 21104 what was right, loses requests, and drops the connection."""
    rig = Rig(Odds(nonce_fault=0.3, request_lost=0.1, answer_lost=0.1, late_ms=300), seed=seed)
    rng = random.Random(seed)
    for _ in range(25 if FULL else 3):
        trade(rig, 1000 if FULL else 100, rng)
        rig.desk.dropped(rig.now)
        rig.desk.connected = rig.desk.open = True
    empty(rig)
    assert rig.venue.live() == [] and rig.desk.halted == ""
