"""What is asked of the venue over HTTP, and what the answers mean: one question at a time.

Next nonces first, then orders whose fate is unknown, then trades that are missing, then the rounds
of reconciliation, then funding. A question that fails proves nothing and is asked again later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bog.errors import one_line
from bog.lighter import codec, rows
from bog.lighter.codes import NOT_FOUND
from bog.lighter.connection import SECOND
from bog.lighter.desk import Desk, Key
from bog.lighter.fate import FAILED, Order
from bog.lighter.funding import Funding
from bog.lighter.rows import RowError, TradeRow, TxView

IDS_MOST = 20  # client ids in one question
PAGE = 100  # rows of an answer
PAGES_MOST = 50  # of one sweep of trades
AGAIN_NS = SECOND  # between two questions about one order
LOW = 1 << 32  # a journal keeps so many ids apart


class What(Enum):
    NONCE = "nextNonce"
    ORDERS = "accountOrders"
    TX = "tx"
    TRADES = "trades"
    ACTIVE = "accountActiveOrders"
    FUNDING = "positionFunding"
    ACCOUNT = "account"


@dataclass
class Sweep:
    """A pass over the account's trades, newest first, down to what was told before."""

    began_ns: int
    cursor: str = ""
    pages: int = 0
    found: list[TradeRow] = field(default_factory=list)


@dataclass
class Ask:
    """One question: path and query, and when it left."""

    what: What
    query: str
    asked_ns: int
    asked_ms: int  # by the venue's clock
    auth: bool
    key: Key | None = None
    ids: tuple[int, ...] = ()
    hash: str = ""
    market: int = 0
    sweep: Sweep | None = None

    @property
    def path(self) -> str:
        return f"/api/v1/{self.what.value}?{self.query}"


class Asks:
    """Chooses questions and hands their answers to the desk and its fates."""

    def __init__(
        self, desk: Desk, account: int, booked: dict[int, int] | None = None,
        funding: Funding | None = None,
    ) -> None:  # fmt: skip
        """`booked` is by market the low 32 bits of the newest trade that its engine has booked."""
        self.desk, self.account, self.funding = desk, account, funding
        self.booked = booked or {}
        self.marks: dict[int, int] = {}  # the same, whole: known when the first trades were seen
        self.sweep: Sweep | None = None
        self.swept_ns = 0  # when the last whole sweep began
        self.floors = [0, 0]  # highest trade ids of the last two whole sweeps
        self.lost: dict[str, int] = {}  # hashes to ask for by `tx`, and the order's or 0
        self.errors = 0  # answers that said nothing
        self.unseen = 0  # orders that an answer showed before any frame did
        self.round: list[What] = []  # what a round of reconciliation still asks
        self.round_ns = 0  # when it began
        self.active: dict[int, list[rows.OrderView]] = {}  # by market, of the last round
        self.accounts: codec.AccountRow | None = None
        self.rounds = 0

    def begin_round(self) -> None:
        """Ask for orders, trades and the account, as soon as the budget allows."""
        self.round = [What.ACTIVE] * len(self.desk.markets) + [What.ACCOUNT]
        self.round_ns = self.desk.now
        self.sweep = Sweep(self.desk.now)
        self.active = {}

    def want_trades(self) -> None:
        if self.sweep is None:
            self.sweep = Sweep(self.desk.now)

    def next(self) -> Ask | None:
        """Return the most urgent question that the budget allows now, counted as asked."""
        desk = self.desk
        ask = (
            self._nonce() or self._orders() or self._tx() or self._trades() or self._round()
            or self._funding()
        )  # fmt: skip
        if ask is None:
            return None
        live = len(desk.fates.live)
        if not desk.budget.may_read(ask.what.value, desk.now, live):
            return None
        desk.budget.read(ask.what.value, desk.now)
        return ask

    def _ask(self, what: What, query: str, auth: bool, **more: object) -> Ask:
        return Ask(what, query, self.desk.now, self.desk.venue_ms, auth, **more)  # type: ignore[arg-type]

    def _nonce(self) -> Ask | None:
        for key in self.desk.keys:
            if not key.nonces.synced and not any(m.key is key for m in self.desk.pending.values()):
                query = f"account_index={self.account}&api_key_index={key.index}"
                return self._ask(What.NONCE, query, False, key=key)
        return None

    def _orders(self) -> Ask | None:
        wanted = self.desk.fates.asks(self.desk.now)[:IDS_MOST]
        if not wanted:
            return None
        ids = tuple(order.id for order in wanted)
        for order in wanted:
            order.look_ns = self.desk.now + AGAIN_NS
        query = f"account_index={self.account}&client_order_indexes={','.join(map(str, ids))}"
        return self._ask(What.ORDERS, query, True, ids=ids)

    def _tx(self) -> Ask | None:
        for hash, id in self.lost.items():
            return self._ask(
                What.TX, f"by=hash&value={hash}", False, hash=hash, ids=(id,) if id else ()
            )
        return None

    def _trades(self) -> Ask | None:
        if self.sweep is None and self.desk.fates.wants_trades(self.desk.now):
            self.want_trades()
        if self.sweep is None:
            return None
        query = f"account_index={self.account}&sort_by=trade_id&sort_dir=desc&limit={PAGE}"
        if self.sweep.cursor:
            query += f"&cursor={self.sweep.cursor}"
        return self._ask(What.TRADES, query, True, sweep=self.sweep)

    def _round(self) -> Ask | None:
        if not self.round:
            return None
        what = self.round[0]
        if what is What.ACCOUNT:
            return self._ask(what, f"by=index&value={self.account}", False)
        markets = list(self.desk.markets)
        market = markets[len(self.active)]
        query = f"account_index={self.account}&market_id={self.desk.markets[market].market}"
        return self._ask(What.ACTIVE, query, True, market=market)

    def _funding(self) -> Ask | None:
        funding = self.funding
        if funding is None or self.desk.venue_ms < funding.due_ms:
            return None
        query = f"account_index={self.account}&limit={PAGE}"
        if funding.cursor:
            query += f"&cursor={funding.cursor}"
        return self._ask(What.FUNDING, query, True)

    # answers

    def answered(self, ask: Ask, status: int, body: bytes, now: int) -> None:
        """Take the answer to a question; raise RowError when it cannot be understood."""
        if status != 200:
            said = codec.body(body, codec.Answer) if body[:1] == b"{" else codec.Answer(0)
            if ask.what is What.TX and said.code == NOT_FOUND:
                self._no_tx(ask)
                return
            self.errors += 1
            if status in (405, 429):
                self.desk.budget.cool(now)
            raise RowError(
                f"{ask.what.value} answered {status}, code {said.code}: {one_line(said.message)[:80]}"
            )
        if ask.what is What.NONCE:
            assert ask.key is not None
            answer = codec.body(body, codec.NextNonce)
            if answer.nonce < 0:
                raise RowError("nextNonce has no nonce")
            self.desk.resynced(ask.key, answer.nonce)
        elif ask.what is What.TX:
            tx = codec.body(body, codec.Tx)
            self.lost.pop(ask.hash, None)
            found = TxView(tx.hash, tx.type, rows.app_code(tx.event_info), tx.status)
            if found.hash == ask.hash and found.status == FAILED and not found.code:
                self._no_tx(ask)  # it waited at the venue until it was too late
            elif found.hash == ask.hash:
                self.desk.fates.ran(found)
        elif ask.what is What.ORDERS:
            self._found(ask, self._views(codec.body(body, codec.Orders).orders), now)
        elif ask.what is What.TRADES:
            self._page(ask, codec.body(body, codec.Trades), now)
        elif ask.what is What.ACTIVE:
            views = self._views(codec.body(body, codec.Orders).orders)
            self.active[ask.market] = views
            for view in views:
                self.desk.fates.saw_order(view, now, ask.asked_ns)
            self._missing(ask, {view.client for view in views})
            self._step(ask)
        elif ask.what is What.FUNDING:
            self._paid(codec.body(body, codec.Fundings), ask.asked_ms)
        else:
            mine = [a for a in codec.body(body, codec.Accounts).accounts or []
                    if a.index == self.account]  # fmt: skip
            if len(mine) != 1:
                raise RowError(f"account has {len(mine)} rows of {self.account}, want 1")
            self.accounts = mine[0]
            self.rounds += self._step(ask)

    def _step(self, ask: Ask) -> bool:
        """Go on with the round, if it waits for this answer and not for one of its own."""
        if not self.round or self.round[0] is not ask.what or ask.asked_ns < self.round_ns:
            return False
        self.round.pop(0)
        return True

    def _views(self, found: list[rows.OrderRow] | None) -> list[rows.OrderView]:
        by_index = {scale.market: (raw, scale) for raw, scale in self.desk.markets.items()}
        views = []
        for row in found or []:
            if row.market_index in by_index:
                raw, scale = by_index[row.market_index]
                views.append(rows.order_view(row, scale)._replace(market=raw))
        return views

    def _found(self, ask: Ask, views: list[rows.OrderView], now: int) -> None:
        """Take what is known of orders by their ids; whose order is in no list is asked by its hash."""
        for view in views:
            order = self.desk.fates.live.get(view.client)
            self.unseen += order is not None and order.create is not None and not order.acked
            self.desk.fates.saw_order(view, now, ask.asked_ns)
        for id in set(ask.ids) - {view.client for view in views}:
            order = self.desk.fates.orders.get(id)
            if order is None or order.ended:
                self.desk.fates.returned.pop(id, None)
                continue
            if order.create is None or order.create.settled:
                self.desk.fates.nowhere(id, ask.asked_ms, self.desk.rules.skew_ms)
            else:
                self.lost[order.create.hash] = id

    def _no_tx(self, ask: Ask) -> None:
        self.lost.pop(ask.hash, None)
        self.desk.fates.unknown_tx(ask.hash, ask.asked_ms, self.desk.rules.skew_ms)
        for id in ask.ids:
            self.desk.fates.nowhere(id, ask.asked_ms, self.desk.rules.skew_ms)

    def _missing(self, ask: Ask, there: set[int]) -> None:
        """Ask for the orders of a market that rested when we asked and are not in its list."""
        for order in self.desk.fates.live.values():
            if order.market == ask.market and order.id not in there and self._rested(order, ask):
                order.look = True

    def _rested(self, order: Order, ask: Ask) -> bool:
        """Whether the venue had an order before a question left, so that a list has to have it."""
        return order.acked and not order.status and order.acked_ns < ask.asked_ns

    def look_for_txs(self) -> None:
        """Ask by hash for the changes of orders that have no verdict."""
        for tx in self.desk.fates.asks_txs():
            if self.desk.now >= tx.due_ns + AGAIN_NS and tx.hash not in self.lost:
                tx.due_ns = self.desk.now
                self.lost[tx.hash] = 0

    def _page(self, ask: Ask, answer: codec.Trades, now: int) -> None:
        """Take a page of a sweep: it ends at what was told before, or at the last page."""
        sweep = self.sweep
        if sweep is None or ask.sweep is not sweep:
            return  # of a sweep that a new one replaced
        page = answer.trades or []
        sweep.found += page
        sweep.pages += 1
        once = self.desk.fates.once
        if not self.marks:
            self._mark(page)
        mark = max(once.mark, self.floors[0])
        known = [row for row in page if row.trade_id <= mark]
        more = bool(answer.next_cursor) and len(page) == PAGE and not known
        if more and sweep.pages < PAGES_MOST:
            sweep.cursor = answer.next_cursor
            return
        if more:
            self.desk.halt(f"more than {PAGE * PAGES_MOST} trades since trade {mark}")
        self.sweep, self.swept_ns = None, sweep.began_ns
        top = max((row.trade_id for row in sweep.found), default=0)
        self.floors = [self.floors[1], max(top, self.floors[1])]
        for row in sorted(sweep.found, key=lambda row: row.trade_id):
            self.trade(row, now)
        self.desk.fates.swept(sweep.began_ns, now)

    def _paid(self, answer: codec.Fundings, asked_ms: int) -> None:
        """Take a page of funding payments."""
        assert self.funding is not None
        rows, markets = answer.position_fundings or [], self.desk.markets
        if self.funding.page(rows, answer.next_cursor, markets):
            self.desk.fates.reports += self.funding.reports(asked_ms, markets)

    def _mark(self, page: list[TradeRow]) -> None:
        """Learn up to which trade each engine has booked, from the newest ones of the account.

        An engine that has booked none has booked all that are of no order of its.
        """
        newest = max((row.trade_id for row in page), default=0)
        for raw, scale in self.desk.markets.items():
            low = self.booked.get(raw, 0)
            if low:
                self.marks[raw] = max(0, newest - (newest - low) % LOW)
            else:
                ours = [row.trade_id for row in page if self._is_ours(row, raw, scale)]
                self.marks[raw] = min(ours, default=newest + 1) - 1
        self.desk.fates.once.mark = min(self.marks.values())

    def _is_ours(self, row: TradeRow, raw: int, scale: rows.Scale) -> bool:
        """Whether a trade is of an order of this run, or of one before it that its journal lost."""
        before = self.desk.fates.before.get(raw, ())
        return row.market_id == scale.market and any(
            view.client in self.desk.fates.orders or view.client in before
            for view in rows.trade_views(row, self.account, scale)
        )

    def trade(self, row: TradeRow, now: int) -> None:
        """Take one trade of the account, from a stream or from a sweep."""
        for raw, scale in self.desk.markets.items():
            if scale.market == row.market_id and row.trade_id > self.marks.get(raw, 0):
                for view in rows.trade_views(row, self.account, scale):
                    self.desk.fates.saw_trade(view._replace(market=raw), now)
