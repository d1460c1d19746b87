"""Captures of calls become traces, whoever has written them; anything else is refused."""

import random
import struct
from pathlib import Path

import pytest
from glottis.contracts.errors import ConfigurationError, Malformed
from glottis.lab.capture import Captured, parse_capture_untrusted
from glottis.lab.streams import choose, clock_rate_of, streams_of, trace_of
from glottis.lab.trace import Trace, load_trace, save_trace
from glottis.wire.rtp import build_rtp
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

SSRC = 0x1234
Frames = list[tuple[float, bytes]]


def udp(payload: bytes) -> bytes:
    return struct.pack(">HHHH", 4000, 5000, 8 + len(payload), 0) + payload


def ipv4(datagram: bytes, fragment: int = 0) -> bytes:
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, fragment, 64, 17, 0) + bytes(8) + datagram


def ipv6(datagram: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(datagram), 17, 64) + bytes(32) + datagram


def ethernet(packet: bytes, vlan: bytes = b"") -> bytes:
    return bytes(12) + vlan + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


def pcap(frames: Frames, order: str = "<", link: int = 1, magic: int = 0xA1B2C3D4) -> bytes:
    unit = 1_000_000 if magic == 0xA1B2C3D4 else 1_000_000_000
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    records = (
        struct.pack(f"{order}IIII", int(at), round(at % 1 * unit), len(frame), len(frame)) + frame
        for at, frame in frames
    )
    return head + b"".join(records)


def block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def pcapng(frames: Frames, order: str = "<", link: int = 1) -> bytes:
    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    resolution = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)  # nanoseconds
    interface = block(1, struct.pack(f"{order}HHI", link, 0, 65535) + resolution, order)
    packets = (
        block(
            6, struct.pack(f"{order}IIIII", 0, *divmod(round(at * 1e9), 2**32), len(frame), len(frame)) + frame, order
        )
        for at, frame in frames
    )
    return section + block(5, bytes(12), order) + interface + b"".join(packets)


def rtp(number: int, timestamp: int | None = None) -> bytes:
    return build_rtp(111, number & 0xFFFF, (960 * number if timestamp is None else timestamp) % 2**32, SSRC, b"speech")


def times(late: dict[int, float] | None = None, count: int = 100, first: int = 65_500) -> Frames:
    """Packets of 20 ms that take 50 ms, and some longer."""
    late = late or {}
    return [(1000 + 0.02 * number + 0.05 + late.get(number, 0.0), rtp(first + number)) for number in range(count)]


def as_trace(frames: Frames, clock_rate: int = 48000) -> Trace:
    [packets] = streams_of(Captured(at, payload) for at, payload in frames).values()
    return trace_of(packets, clock_rate)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("write", [pcap, pcapng, lambda frames, order, link: pcap(frames, order, link, 0xA1B23C4D)])
@pytest.mark.parametrize(
    ("link", "wrap"),
    [
        (1, lambda payload: ethernet(ipv4(udp(payload)))),
        (1, lambda payload: ethernet(ipv6(udp(payload)), b"\x81\x00\x00\x05")),
        (101, lambda payload: ipv4(udp(payload))),
        (0, lambda payload: b"\x02\0\0\0" + ipv4(udp(payload))),
        (113, lambda payload: bytes(14) + b"\x08\x00" + ipv4(udp(payload))),
        (276, lambda payload: b"\x86\xdd" + bytes(18) + ipv6(udp(payload))),
    ],
)  # fmt: skip
def test_datagrams_are_found_in_each_format(write, order, link, wrap) -> None:  # type: ignore[no-untyped-def]
    captured = parse_capture_untrusted(write([(1.5, wrap(b"one")), (2.25, wrap(b"two"))], order, link))
    assert [one.payload for one in captured] == [b"one", b"two"]
    assert [one.at for one in captured] == pytest.approx([1.5, 2.25])


def test_what_is_no_whole_datagram_is_passed_over() -> None:
    whole = ethernet(ipv4(udp(b"whole")))
    tcp = bytearray(whole)
    tcp[23] = 6
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    others = [bytes(tcp), arp, whole[:-3], b"", ethernet(ipv4(udp(b"part"), fragment=0x2000))]
    captured = parse_capture_untrusted(pcap([(1.0, frame) for frame in [*others, whole]])[:-1] + b"e")
    assert [one.payload for one in captured] == [b"whol" + b"e"]


@pytest.mark.parametrize("data", [b"", b"RIFF" + bytes(60), pcapng([])[:11] + b"\0" + bytes(40), bytes(24)])
def test_what_is_no_capture_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_capture_untrusted(data)


@given(st.binary(max_size=300), st.integers(0, 2**32))
@settings(max_examples=examples(100))
def test_any_bytes_are_read_or_malformed(data: bytes, seed: int) -> None:
    """Fuzz: parse_capture_untrusted raises Malformed and nothing else."""
    rng = random.Random(seed)
    good = [pcap, pcapng][seed % 2](
        [(1.0, ethernet(ipv4(udp(rtp(number))))) for number in range(3)], "<>"[seed // 2 % 2]
    )
    mutated = bytearray(good)
    for _ in range(4):
        mutated[rng.randrange(len(mutated))] = rng.randrange(256)
    for tried in (data, good[:24] + data, good[: rng.randrange(len(good))], bytes(mutated)):
        try:
            captured = parse_capture_untrusted(tried)
        except Malformed:
            continue
        for packets in streams_of(captured).values():
            trace_of(packets, 48000)


def test_delays_and_losses_are_those_of_the_network() -> None:
    frames = times({3: 0.04, 50: 0.1})
    del frames[20:23]
    trace = as_trace(frames)
    assert len(trace.sent) == 100
    assert [number for number, delay in enumerate(trace.delays) if delay is None] == [20, 21, 22]
    assert trace.sent == pytest.approx([0.02 * number for number in range(100)])
    late = {number: delay for number, delay in enumerate(trace.delays) if delay}
    assert late == pytest.approx({3: 0.04, 50: 0.1}, abs=1e-5)


def test_order_copies_and_times_that_go_back_do_not_matter() -> None:
    frames = times({10: 0.05})
    shuffled = [*frames[50:], *frames[:50], *frames[7:9]]
    assert as_trace(shuffled) == as_trace(frames)


def test_clocks_that_drift_apart_are_no_delay() -> None:
    frames = [(at * 1.0002, payload) for at, payload in times(count=5000)]
    assert max(delay or 0.0 for delay in as_trace(frames).delays) < 0.003


def test_gaps_of_the_capture_are_no_losses_and_do_not_last() -> None:
    """As of a hold, while which timestamps stand still, and of a restart."""
    held = [(at + 30, rtp(65_600 + number)) for number, (at, _) in enumerate(times())]
    trace = as_trace(times() + held)
    assert None not in trace.delays
    assert trace.seconds == pytest.approx(4.0, abs=0.1)
    restarted = [(at + 30, rtp(number + 20_000, 5_000_000 + 960 * number)) for number, (at, _) in enumerate(times())]
    trace = as_trace(times() + restarted)
    assert None not in trace.delays
    assert trace.seconds == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
def test_the_clock_rate_is_seen(clock_rate: int) -> None:
    step = clock_rate // 50
    frames = [(0.02 * number, rtp(number, step * number)) for number in range(50)]
    [packets] = streams_of(Captured(*frame) for frame in frames).values()
    assert clock_rate_of(packets) == clock_rate


def test_a_stream_is_chosen_or_those_there_are_listed() -> None:
    streams = streams_of(Captured(at, payload) for at, payload in times())
    assert choose(streams, None) == choose(streams, SSRC) == SSRC
    with pytest.raises(ConfigurationError, match=r"there are 0x00001234 .100 packets"):
        choose(streams, 7)
    with pytest.raises(ConfigurationError, match="no stream of"):
        choose(streams_of([Captured(1.0, b"\0\1 of STUN"), Captured(1.0, b"\x80")]), None)


def test_a_trace_is_played_again_and_again(tmp_path: Path) -> None:
    frames = times({1: 0.03}, count=50)
    del frames[30]
    path = tmp_path / "call.trace.json"
    save_trace(as_trace(frames), path)
    trace, rng = load_trace(path), random.Random(1)
    for begin in (0.0, trace.seconds, 100 * trace.seconds):
        assert trace.arrivals(begin, rng) == [begin]
        assert trace.arrivals(begin + 0.021, rng) == pytest.approx([begin + 0.051], abs=1e-4)
        assert trace.arrivals(begin + 0.601, rng) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "sent"),
        ('{"format":"glottis trace 1","sent":[],"delays":[]}', "as many delays"),
        ('{"format":"glottis trace 1","sent":[0,2,1],"delays":[0,0,0]}', "goes back"),
        ('{"format":"glottis trace 1","sent":[-1,1],"delays":[0,0]}', "negative"),
        ('{"format":"glottis trace 1","sent":[0,1],"delays":[0,-0.1]}', "`delays` are negative"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_trace(path)
