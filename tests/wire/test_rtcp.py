import random
from pathlib import Path

import aiortc.rtp
import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.rtcp import (
    MAX_COMPOUND_LENGTH,
    MAX_PACKETS,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_rtcp,
    is_rtcp,
    parse_rtcp_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st

VECTORS = Path(__file__).parents[1] / "vectors/rtcp"
SEEDS = [file.read_bytes() for file in sorted(VECTORS.glob("*.bin"))]

word = st.integers(0, 2**32 - 1)
short_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
blocks = st.lists(
    st.builds(
        ReportBlock, word, st.integers(0, 255).map(lambda steps: steps / 256), st.integers(-(2**23), 2**23 - 1),
        word, word, word, word,
    ),
    max_size=3,
).map(tuple)  # fmt: skip
rtcp_packets = st.one_of(
    st.builds(SenderReport, word, st.integers(0, 2**64 - 1), word, word, word, blocks),
    st.builds(ReceiverReport, word, blocks),
    st.builds(SourceDescription, st.lists(st.tuples(word, short_text), max_size=3).map(tuple)),
    st.builds(Goodbye, st.lists(word, max_size=3).map(tuple), short_text | st.just("")),
)


def vector(name: str) -> bytes:
    return (VECTORS / f"aiortc-{name}.bin").read_bytes()


@given(st.lists(rtcp_packets, min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_what_is_built_is_read(packets: list[RtcpPacket]) -> None:
    data = build_rtcp(packets)
    assert len(data) % 4 == 0
    assert parse_rtcp_untrusted(data) == packets


def test_another_stack_reads_what_is_built() -> None:
    block = ReportBlock(8, 0.25, -3, 65536 + 7, 80, 0x22223333, 65536)
    name = SourceDescription(((7, "name@host"),))
    report, description, goodbye = aiortc.rtp.RtcpPacket.parse(
        build_rtcp([SenderReport(7, 2**63, 160, 10, 1600, (block,)), name, Goodbye((7,))])
    )
    assert isinstance(report, aiortc.rtp.RtcpSrPacket)
    assert isinstance(description, aiortc.rtp.RtcpSdesPacket)
    assert isinstance(goodbye, aiortc.rtp.RtcpByePacket)
    assert (report.ssrc, report.sender_info.ntp_timestamp, report.sender_info.octet_count) == (7, 2**63, 1600)
    [reception] = report.reports
    assert (reception.ssrc, reception.fraction_lost, reception.packets_lost) == (8, 64, -3)
    assert (reception.highest_sequence, reception.lsr, reception.dlsr) == (65536 + 7, 0x22223333, 65536)
    assert description.chunks[0].items == [(1, b"name@host")]
    assert goodbye.sources == [7]


def test_receiver_report_of_another_stack_is_read() -> None:
    [report] = parse_rtcp_untrusted(vector("rtcp_rr"))
    assert report == ReceiverReport(817267719, (ReportBlock(1200895919, 0.0, 0, 630, 1906, 0, 0),))


def test_sender_report_of_another_stack_is_read() -> None:
    [report] = parse_rtcp_untrusted(vector("rtcp_sr"))
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packet_count, len(report.report_blocks)) == (1831097322, 269, 1)
    assert report.ntp_time == 16016567581311369308


def test_canonical_name_of_another_stack_is_read() -> None:
    [description] = parse_rtcp_untrusted(vector("rtcp_sdes"))
    assert description == SourceDescription(((1831097322, "{63f459ea-41fe-4474-9d33-9707c9ee79d1}"),))


def test_feedback_and_unknown_types_are_skipped() -> None:
    goodbye = Goodbye((1,), "done")
    compound = vector("rtcp_psfb_pli") + vector("rtcp_rtpfb") + b"\x80\xd2\x00\x00" + build_rtcp([goodbye])
    assert parse_rtcp_untrusted(compound) == [goodbye]


def test_reduced_size_packet_without_a_report_is_read() -> None:
    assert parse_rtcp_untrusted(build_rtcp([Goodbye((1,))])) == [Goodbye((1,))]


def test_compound_packet_of_as_many_packets_as_there_may_be_is_read() -> None:
    assert len(parse_rtcp_untrusted(build_rtcp([Goodbye((1,))] * MAX_PACKETS))) == MAX_PACKETS


def test_padding_of_the_last_packet_is_taken_off() -> None:
    assert parse_rtcp_untrusted(b"\xa1\xcb\x00\x02\x00\x00\x00\x05\x00\x00\x00\x04") == [Goodbye((5,))]


def test_profile_extension_behind_report_blocks_is_skipped() -> None:
    assert parse_rtcp_untrusted(b"\x80\xc9\x00\x02\x00\x00\x00\x05EXTN") == [ReceiverReport(5)]


def test_long_text_is_cut_between_characters() -> None:
    [description] = parse_rtcp_untrusted(build_rtcp([SourceDescription(((1, "ü" * 200),))]))
    assert description == SourceDescription(((1, "ü" * 127),))


def test_more_sources_than_a_packet_holds_are_refused() -> None:
    assert len(build_rtcp([Goodbye(tuple(range(31)))])) == 4 + 4 * 31
    with pytest.raises(ValueError, match="expected at most 31 entries in a packet, got 32"):
        build_rtcp([Goodbye(tuple(range(32)))])


def test_everything_lost_is_written_as_the_largest_fraction() -> None:
    [report] = parse_rtcp_untrusted(build_rtcp([ReceiverReport(1, (ReportBlock(2, 1.0, 9, 9, 0),))]))
    assert isinstance(report, ReceiverReport)
    assert report.report_blocks[0].fraction_lost == 255 / 256


@pytest.mark.parametrize(
    "name",
    ["rtcp_bye_invalid", "rtcp_rr_invalid", "rtcp_sr_invalid", "rtcp_sdes_item_truncated",
     "rtcp_sdes_source_truncated"],
)  # fmt: skip
def test_broken_packets_of_another_stacks_tests_are_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        parse_rtcp_untrusted(vector(name))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc9\x00",
        b"\x40\xc9\x00\x01\x00\x00\x00\x05",
        b"\x80\xc9\x00\x02\x00\x00\x00\x05",
        b"\x80\xc9\x00\x00",
        b"\xa0\xc9\x00\x02\x00\x00\x00\x05\x00\x00\x00\x04\x80\xc9\x00\x01\x00\x00\x00\x05",
        b"\x81\xca\x00\x02\x00\x00\x00\x05\x01\x02ab",
        b"\x80\xd2\x00\x00" * (MAX_COMPOUND_LENGTH // 4 + 1),
        b"\x80\xd2\x00\x00" * (MAX_PACKETS + 1),
    ],
    ids=["empty", "short", "version", "length", "nobody", "padding-inside", "unended-chunk", "long", "many"],
)
def test_packet_that_contradicts_itself_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_rtcp_untrusted(data)


def test_rtcp_is_told_from_rtp_by_its_second_byte() -> None:
    assert is_rtcp(build_rtcp([ReceiverReport(1)]))
    assert not is_rtcp(b"\x80\x60" + bytes(10))  # payload type 96
    assert not is_rtcp(b"\x80\xe0" + bytes(10))  # payload type 96 with the marker
    assert not is_rtcp(b"\x80")


def test_fuzz_parse_rtcp() -> None:
    """parse_rtcp_untrusted raises nothing but Malformed, whatever the bytes."""
    rng = random.Random(2)
    for seed in SEEDS:
        for _ in range(150):
            data = bytearray(seed)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.getrandbits(8)
            if rng.random() < 0.2:
                del data[rng.randrange(len(data)) :]
            try:
                packets = parse_rtcp_untrusted(bytes(data))
            except Malformed:
                continue
            assert len(packets) <= len(data) // 4
