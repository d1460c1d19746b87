import pytest
from glottis.media.demultiplexer import MAX_PATHS, MAX_TRANSACTIONS, Demultiplexer
from glottis.wire.address import Address, Path

LOCAL = Address("192.0.2.1", 4000)
CALLER = Address("192.0.2.7", 5000)
STRANGER = Address("192.0.2.66", 6000)
DTLS = bytes([22]) + bytes(40)
RTP = bytes([128, 111]) + bytes(40)


class Session:
    def __init__(self) -> None:
        self.received: list[tuple[bytes, Path]] = []
        self.refused = 0

    def receive(self, data: bytes, path: Path) -> None:
        self.received.append((data, path))

    def refuse(self) -> None:
        self.refused += 1


def stun(message_type: int, transaction: int, username: str = "") -> bytes:
    name = username.encode()
    attribute = b"\x00\x06" + len(name).to_bytes(2, "big") + name + bytes(-len(name) % 4) if name else b""
    header = message_type.to_bytes(2, "big") + len(attribute).to_bytes(2, "big") + b"\x21\x12\xa4\x42"
    return header + transaction.to_bytes(12, "big") + attribute


@pytest.fixture
def tables() -> Demultiplexer:
    return Demultiplexer()


def test_a_check_goes_to_the_session_with_that_local_ufrag(tables: Demultiplexer) -> None:
    ours, other = Session(), Session()
    tables.add_ufrag("ours", ours)
    tables.add_ufrag("other", other)
    check = stun(0x0001, 1, "ours:theirs")
    tables.dispatch(check, Path(LOCAL, CALLER))
    assert ours.received == [(check, Path(LOCAL, CALLER))]
    assert other.received == []


def test_a_response_goes_to_the_session_whose_request_left_here(tables: Demultiplexer) -> None:
    session = Session()
    tables.note_request(stun(0x0001, 7), session)
    response = stun(0x0101, 7)
    tables.dispatch(response, Path(LOCAL, CALLER))
    tables.dispatch(stun(0x0101, 8), Path(LOCAL, CALLER))
    assert [data for data, _ in session.received] == [response]
    assert tables.dropped == 1


def test_what_a_turn_server_sends_is_its_relays_but_for_responses_to_others(tables: Demultiplexer) -> None:
    relay, gathering = Session(), Session()
    tables.add_carrier(Path(LOCAL, CALLER), relay)
    tables.note_request(stun(0x0001, 7), gathering)
    relayed = [stun(0x0103, 1), stun(0x0017, 2), bytes((0x40, 0, 0, 0))]
    for data in (*relayed, stun(0x0101, 7)):
        tables.dispatch(data, Path(LOCAL, CALLER))
    assert [data for data, _ in relay.received] == relayed
    assert len(gathering.received) == 1
    assert tables.dropped == 0


def test_server_has_one_relay_and_no_session(tables: Demultiplexer) -> None:
    """Whoever has had the path before."""
    relay, other, session = Session(), Session(), Session()
    tables.add_path(Path(LOCAL, CALLER), session, proven=True)
    assert tables.add_carrier(Path(LOCAL, CALLER), relay)
    assert not tables.add_carrier(Path(LOCAL, CALLER), other)
    for gone in (session, other):
        tables.remove(gone)
    tables.dispatch(RTP, Path(LOCAL, CALLER))
    assert relay.received == [(RTP, Path(LOCAL, CALLER))]


def test_no_session_takes_the_path_of_a_relay(tables: Demultiplexer) -> None:
    relay, session = Session(), Session()
    tables.add_carrier(Path(LOCAL, CALLER), relay)
    tables.add_path(Path(LOCAL, CALLER), session, proven=True)
    tables.dispatch(RTP, Path(LOCAL, CALLER))
    assert session.received == []
    tables.remove(relay)
    tables.dispatch(RTP, Path(LOCAL, CALLER))
    assert tables.dropped == 1


@pytest.mark.parametrize("data", [DTLS, RTP, b"", b"\xff" * 2000, stun(0x0001, 1, "unknown:x"), b"\x00\x01"])
def test_a_stranger_reaches_no_session(tables: Demultiplexer, data: bytes) -> None:
    session = Session()
    tables.add_ufrag("ours", session)
    tables.add_path(Path(LOCAL, CALLER), session, proven=False)
    tables.dispatch(data, Path(LOCAL, STRANGER))
    assert session.received == []
    assert tables.dropped == 1


def test_media_from_an_authenticated_address_reaches_its_session(tables: Demultiplexer) -> None:
    session = Session()
    tables.add_path(Path(LOCAL, CALLER), session, proven=False)
    tables.dispatch(RTP, (LOCAL, (CALLER.host, CALLER.port), "udp"))
    assert session.received == [(RTP, Path(LOCAL, CALLER))]


@pytest.mark.parametrize("other", [Path(Address("192.0.2.2", 4000), CALLER), Path(LOCAL, CALLER, "tcp")])
def test_an_address_is_only_known_by_the_path_that_was_authenticated(tables: Demultiplexer, other: Path) -> None:
    ours, theirs = Session(), Session()
    tables.add_path(Path(LOCAL, CALLER), ours, proven=True)
    tables.dispatch(RTP, other)
    assert tables.dropped == 1
    tables.add_path(other, theirs, proven=False)
    for path in (other, Path(LOCAL, CALLER)):
        tables.dispatch(RTP, path)
    assert (ours.received, theirs.received) == ([(RTP, Path(LOCAL, CALLER))], [(RTP, other)])


def test_a_check_with_a_forged_source_takes_no_address_from_another_session(tables: Demultiplexer) -> None:
    victim, attacker = Session(), Session()
    tables.add_path(Path(LOCAL, CALLER), victim, proven=True)
    tables.add_path(Path(LOCAL, CALLER), attacker, proven=False)
    tables.dispatch(RTP, Path(LOCAL, CALLER))
    assert (len(victim.received), len(attacker.received)) == (1, 0)


def test_a_proven_address_moves_to_the_new_session_and_outlives_the_old_one(tables: Demultiplexer) -> None:
    old, new = Session(), Session()
    tables.add_path(Path(LOCAL, CALLER), old, proven=True)
    tables.add_path(Path(LOCAL, CALLER), new, proven=True)
    tables.remove(old)
    tables.dispatch(RTP, Path(LOCAL, CALLER))
    assert (len(old.received), len(new.received)) == (0, 1)


def test_a_session_cannot_fill_the_tables(tables: Demultiplexer) -> None:
    session = Session()
    for index in range(10 * MAX_PATHS):
        tables.add_path(Path(LOCAL, Address("192.0.2.9", 1000 + index)), session, proven=True)
        tables.note_request(stun(0x0001, index), session)
    tables.dispatch(RTP, Path(LOCAL, Address("192.0.2.9", 1000 + MAX_PATHS)))
    tables.dispatch(stun(0x0101, 10 * MAX_PATHS - MAX_TRANSACTIONS - 1), Path(LOCAL, CALLER))
    assert session.received == []


def test_the_address_in_use_is_kept_when_many_others_are_authenticated(tables: Demultiplexer) -> None:
    session = Session()
    others = [Path(LOCAL, Address("192.0.2.9", 1000 + index)) for index in range(2 * MAX_PATHS)]
    tables.add_path(Path(LOCAL, CALLER), session, proven=True, in_use=True)
    for path in others:
        tables.add_path(path, session, proven=False)
    for path in (Path(LOCAL, CALLER), others[0], others[-1]):
        tables.dispatch(RTP, path)
    assert session.received == [(RTP, Path(LOCAL, CALLER)), (RTP, others[-1])]


def test_a_path_that_was_left_is_free_for_another_session(tables: Demultiplexer) -> None:
    old, new = Session(), Session()
    path = Path(LOCAL, CALLER)
    tables.add_path(path, old, proven=True, in_use=True)
    tables.remove_path(path, old)
    tables.dispatch(RTP, path)
    assert (old.received, tables.dropped) == ([], 1)
    tables.add_path(path, new, proven=False)
    tables.remove_path(path, old)  # it is another's by now
    tables.dispatch(RTP, path)
    assert (old.received, new.received) == ([], [(RTP, path)])


def test_a_removed_session_leaves_nothing(tables: Demultiplexer) -> None:
    session = Session()
    tables.add_ufrag("ours", session)
    tables.add_path(Path(LOCAL, CALLER), session, proven=True)
    tables.note_request(stun(0x0001, 7), session)
    tables.remove(session)
    for data in (stun(0x0001, 1, "ours:x"), stun(0x0101, 7), RTP):
        tables.dispatch(data, Path(LOCAL, CALLER))
    assert (len(tables), session.received, tables.dropped) == (0, [], 3)
