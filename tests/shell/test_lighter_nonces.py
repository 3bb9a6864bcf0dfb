"""One payload per nonce: the numbers of a key against a model of the venue that loses and delays."""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bog.lighter.nonces import CREATES, TOP, WINDOW, Nonces, Payload, State

SKEW_MS = 2000
LIFE_MS = 15_000


def bind(nonces: Nonces, name: str, now_ms: int = 0) -> Payload:
    return nonces.bind(name, name.encode(), 14, now_ms + LIFE_MS)


def ready(venue_next: int = 7) -> Nonces:
    nonces = Nonces(SKEW_MS)
    nonces.resync(venue_next, 0)
    return nonces


def test_nothing_is_bound_before_the_venue_has_spoken() -> None:
    nonces = Nonces(SKEW_MS)
    assert not nonces.may_bind(cancels=True)
    with pytest.raises(ValueError, match="before the venue has said which is next"):
        bind(nonces, "a")


def test_numbers_count_up_and_an_acceptance_settles_all_below() -> None:
    nonces = ready()
    first, second = bind(nonces, "a"), bind(nonces, "b")
    assert (first.nonce, second.nonce) == (7, 8)
    assert [p.hash for p in nonces.accepted("b")] == ["a", "b"]
    assert first.state is second.state is State.USED
    assert nonces.waiting == 0 and nonces.synced


def test_cancels_find_room_when_creates_do_not() -> None:
    nonces = ready()
    for n in range(CREATES):
        bind(nonces, str(n))
    assert not nonces.may_bind(cancels=False) and nonces.may_bind(cancels=True)
    for n in range(CREATES, WINDOW):
        bind(nonces, str(n))
    assert not nonces.may_bind(cancels=True)
    with pytest.raises(ValueError, match="16 payloads are on their way"):
        bind(nonces, "more")


def test_a_refused_number_is_bound_anew_only_after_the_venue_showed_it_unused() -> None:
    nonces = ready()
    refused = bind(nonces, "a")
    nonces.refused("a")
    assert not nonces.may_bind(cancels=True)
    assert nonces.resync(7, 0) == [refused] and refused.state is State.DEAD
    again = bind(nonces, "b")
    assert (again.nonce, again.skip) == (7, False)


def test_a_number_of_unknown_fate_is_skipped_not_bound_anew() -> None:
    nonces = ready()
    lost = bind(nonces, "a")
    nonces.lost()
    assert nonces.resync(7, 0) == []
    over = bind(nonces, "b")
    assert (over.nonce, over.skip) == (8, True)
    assert nonces.accepted("b") == [lost, over]
    assert lost.state is State.OVERTAKEN and over.state is State.USED
    assert bind(nonces, "c").nonce == 9


def test_what_a_lost_answer_skipped_over_is_not_taken_for_used() -> None:
    """It was: a receipt after an unanswered skip made everything below it look as if it was run."""
    nonces = ready(0)
    lost, refused = bind(nonces, "a"), bind(nonces, "b")
    nonces.refused("b")
    nonces.resync(0, 0)
    over, after = bind(nonces, "c"), bind(nonces, "d")
    assert over.skip and not after.skip
    assert set(map(id, nonces.accepted("d"))) == {id(lost), id(over), id(after)}
    assert lost.state is State.OVERTAKEN and refused.state is State.DEAD
    assert over.state is after.state is State.USED


def test_what_was_overtaken_is_let_go() -> None:
    """It was kept for ever: each lost answer made every later look at the numbers slower."""
    nonces = ready()
    for number in range(200):
        bind(nonces, f"lost {number}")
        nonces.lost()
        assert nonces.resync(7 + 2 * number, 0) == []
        taken = bind(nonces, f"taken {number}")
        assert nonces.accepted(taken.hash)[-1] is taken
        assert nonces.payloads == {}
    late = bind(nonces, "late")
    nonces.lost()
    nonces.resync(late.nonce, 0)
    bind(nonces, "over")
    # the venue took what skips, and nobody heard of it
    assert [p.state for p in nonces.resync(late.nonce + 2, 0)] == [State.OVERTAKEN, State.USED]
    assert nonces.payloads == {} and nonces.accepted("late") == []


def test_a_refused_number_below_an_unknown_one_is_not_bound_anew() -> None:
    nonces = ready()
    bind(nonces, "a")
    unknown = bind(nonces, "b")
    nonces.refused("a")
    assert [p.hash for p in nonces.resync(7, 0)] == ["a"]
    assert unknown.state is State.OPEN
    assert (bind(nonces, "c").nonce, nonces.payloads["c"].skip) == (9, True)


def test_the_next_nonce_tells_the_used_from_the_unused() -> None:
    nonces = ready()
    first, second = bind(nonces, "a"), bind(nonces, "b")
    nonces.lost()
    assert nonces.resync(8, 0) == [first] and first.state is State.USED
    assert nonces.resync(8, LIFE_MS + SKEW_MS) == [] and second.state is State.OPEN
    assert nonces.resync(8, LIFE_MS + SKEW_MS + 1) == [second] and second.state is State.DEAD


def test_a_refusal_that_used_its_number_is_no_fault_when_the_next_number_is_taken() -> None:
    # both left in one turn, and the venue had consumed the number of what it refused
    nonces = ready()
    create, cancel = bind(nonces, "create"), bind(nonces, "cancel")
    assert nonces.refused("create")
    assert nonces.accepted("cancel") == [create, cancel]
    assert create.state is State.DEAD and cancel.state is State.USED
    assert nonces.faults == [] and nonces.waiting == 0
    nonces.resync(9, 0)
    assert bind(nonces, "next").nonce == 9 and nonces.faults == []


def test_a_refusal_of_a_second_copy_proves_nothing() -> None:
    nonces = ready()
    doubled = bind(nonces, "a")
    assert nonces.again("a") == b"a"
    assert not nonces.refused("a")
    assert doubled.state is State.OPEN and not nonces.synced


def test_a_second_writer_is_found() -> None:
    nonces = ready()
    bind(nonces, "a")
    nonces.resync(9, 0)
    assert nonces.faults == ["the next nonce is 9, and ours 8: somebody else signs"]


def test_the_last_number_that_can_skip_is_the_end() -> None:
    nonces = ready(TOP)
    assert nonces.may_bind(cancels=True)
    nonces.resync(TOP + 1, 0)
    assert not nonces.may_bind(cancels=True) and "past" in nonces.faults[-1]


class Venue:
    """The venue's rule for the numbers of a key, and what it has executed."""

    def __init__(self, first: int) -> None:
        self.next = first
        self.executed: list[Payload] = []

    def take(self, p: Payload, now_ms: int, refuse: bool) -> int:
        """Return 200, or the code it refuses with."""
        right = p.nonce >= self.next if p.skip else p.nonce == self.next
        if not right:
            return 21104
        if refuse or now_ms > p.expired_ms:
            return 21711
        self.next = p.nonce + 1
        self.executed.append(p)
        return 200


class Keys(RuleBasedStateMachine):
    """A key whose messages and answers are delayed, doubled, lost and reordered after a drop."""

    @initialize(first=st.integers(0, 50))
    def begin(self, first: int) -> None:
        self.venue = Venue(first)
        self.nonces = Nonces(SKEW_MS)
        self.now = 1_000_000
        self.bound: dict[int, list[Payload]] = {}
        self.refused_by_venue: set[str] = set()
        self.wire: list[Payload] = []  # of the connection that stands, in order
        self.strays: list[Payload] = []  # of connections before: any order, or never
        self.believed: dict[str, State] = {}
        self.count = 0

    def learn(self, changed: list[Payload]) -> None:
        for p in changed:
            self.believed[p.hash] = p.state

    @rule(cancels=st.booleans())
    def send(self, cancels: bool) -> None:
        if not self.nonces.may_bind(cancels):
            return
        self.count += 1
        p = bind(self.nonces, f"tx{self.count}", self.now)
        for before in self.bound.setdefault(p.nonce, []):
            # the one way to bind a number anew
            assert before.hash in self.refused_by_venue and before.state is State.DEAD
        self.bound[p.nonce].append(p)
        self.wire.append(p)

    @precondition(lambda self: self.bound)
    @rule(data=st.data())
    def send_the_same_bytes_again(self, data: st.DataObject) -> None:
        open_ones = [p for p in self.nonces.payloads.values() if p.state is State.OPEN]
        if open_ones:
            p = data.draw(st.sampled_from(open_ones))
            assert self.nonces.again(p.hash) == p.text
            self.wire.append(p)

    def arrive(self, p: Payload, refuse: bool, answered: bool) -> None:
        code = self.venue.take(p, self.now, refuse)
        if code != 200 and p.copies == 1:
            self.refused_by_venue.add(p.hash)
        if not answered:
            return
        if code == 200:
            self.learn(self.nonces.accepted(p.hash))
        else:
            assert self.nonces.refused(p.hash) == (
                p.copies == 1 and self.nonces.payloads.get(p.hash) is p
            )

    @precondition(lambda self: self.wire)
    @rule(refuse=st.booleans(), answered=st.booleans())
    def deliver(self, refuse: bool, answered: bool) -> None:
        self.arrive(self.wire.pop(0), refuse, answered)

    @precondition(lambda self: self.strays)
    @rule(data=st.data(), lost=st.booleans())
    def a_stray_arrives_or_never_does(self, data: st.DataObject, lost: bool) -> None:
        p = self.strays.pop(data.draw(st.integers(0, len(self.strays) - 1)))
        if not lost:
            self.arrive(p, False, False)

    @rule()
    def drop(self) -> None:
        self.strays += self.wire
        self.wire = []
        self.nonces.lost()

    @rule()
    def deadline(self) -> None:
        self.nonces.lost()

    @precondition(lambda self: not self.nonces.synced)
    @rule()
    def resync(self) -> None:
        self.learn(self.nonces.resync(self.venue.next, self.now))

    @rule(ms=st.sampled_from([100, 5000, 16_000]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def what_is_believed_is_so(self) -> None:
        if not hasattr(self, "venue"):
            return
        ran = [p.nonce for p in self.venue.executed]
        assert len(ran) == len(set(ran))
        executed = {p.hash for p in self.venue.executed}
        for name, state in self.believed.items():
            if state is State.DEAD:
                assert name not in executed
            if state is State.USED:
                assert name in executed
        assert self.nonces.waiting <= WINDOW
        assert self.nonces.faults == []

    def teardown(self) -> None:
        """After the faults: a cancel gets through within a few rounds, and all is settled."""
        if not hasattr(self, "venue"):
            return
        for p in [*self.strays, *self.wire]:
            self.venue.take(p, self.now, False)
        self.now += LIFE_MS + SKEW_MS + 1
        self.nonces.lost()
        self.learn(self.nonces.resync(self.venue.next, self.now))
        p = bind(self.nonces, "last", self.now)
        assert self.venue.take(p, self.now, False) == 200
        self.learn(self.nonces.accepted("last"))
        self.what_is_believed_is_so()
        assert self.nonces.payloads == {}


TestLawOnePayloadPerNonce = Keys.TestCase
TestLawOnePayloadPerNonce.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    phases=(Phase.generate,),
)
