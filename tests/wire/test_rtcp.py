import random
from pathlib import Path

import aiortc.rtp
import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.rtcp import (
    MAX_COMPOUND_LENGTH,
    MAX_FEEDBACK,
    MAX_PACKETS,
    ExtendedReport,
    Goodbye,
    MaximumBitrate,
    Nack,
    ReceiverReport,
    ReferenceDelay,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_rtcp,
    is_rtcp,
    nack_entries,
    parse_rtcp_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

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
half = st.integers(0, 0xFFFF)
arrivals = st.lists(st.none() | st.integers(0, 255) | st.integers(0, 30_000), min_size=1, max_size=40).filter(any)
rtcp_packets = st.one_of(
    st.builds(Nack, word, word, st.lists(st.tuples(half, half), min_size=1, max_size=3).map(tuple)),
    st.builds(
        TransportFeedback,
        word,
        word,
        half,
        st.integers(0, 255),
        st.integers(-(2**23), 2**23 - 1),
        arrivals.map(tuple),
    ),
    st.builds(MaximumBitrate, word, st.integers(0, 2**18 - 1).map(lambda mantissa: mantissa << 5), st.tuples(word)),
    st.builds(ExtendedReport, word, st.none() | st.integers(0, 2**64 - 1), st.just(())),
    st.builds(
        ExtendedReport,
        word,
        st.integers(0, 2**64 - 1),
        st.lists(st.builds(ReferenceDelay, word, word, word), max_size=3).map(tuple),
    ),
    st.builds(SenderReport, word, st.integers(0, 2**64 - 1), word, word, word, blocks),
    st.builds(ReceiverReport, word, blocks),
    st.builds(SourceDescription, st.lists(st.tuples(word, short_text), max_size=3).map(tuple)),
    st.builds(Goodbye, st.lists(word, max_size=3).map(tuple), short_text | st.just("")),
)


def vector(name: str) -> bytes:
    return (VECTORS / f"aiortc-{name}.bin").read_bytes()


@given(st.lists(rtcp_packets, min_size=1, max_size=3))
@settings(max_examples=examples(80))
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


def test_unknown_feedback_and_types_are_skipped() -> None:
    goodbye = Goodbye((1,), "done")
    compound = vector("rtcp_psfb_pli") + b"\x80\xd2\x00\x00" + build_rtcp([goodbye])
    assert parse_rtcp_untrusted(compound) == [goodbye]


def test_nack_of_another_stack_is_read() -> None:
    [nack] = parse_rtcp_untrusted(vector("rtcp_rtpfb"))
    other = aiortc.rtp.RtcpPacket.parse(vector("rtcp_rtpfb"))[0]
    assert isinstance(nack, Nack)
    assert isinstance(other, aiortc.rtp.RtcpRtpfbPacket)
    assert (nack.sender_ssrc, nack.media_ssrc) == (other.ssrc, other.media_ssrc)
    assert list(nack.sequence_numbers()) == other.lost


def test_another_stack_reads_what_is_missing_in_what_is_built() -> None:
    lost = [10, 11, 12, 40, 65530, 65535]
    other = aiortc.rtp.RtcpPacket.parse(build_rtcp([Nack(1, 2, nack_entries(lost))]))[0]
    assert isinstance(other, aiortc.rtp.RtcpRtpfbPacket)
    assert other.lost == lost


def test_missing_numbers_wrap() -> None:
    assert list(Nack(1, 2, nack_entries([65535, 0, 9])).sequence_numbers()) == [65535, 0, 9]


def test_another_stack_reads_a_maximum_bitrate_and_is_read() -> None:
    other = aiortc.rtp.RtcpPacket.parse(build_rtcp([MaximumBitrate(7, 4_160_000, (8,))]))[0]
    assert isinstance(other, aiortc.rtp.RtcpPsfbPacket)
    assert aiortc.rtp.unpack_remb_fci(other.fci) == (4_160_000, [8])
    theirs = aiortc.rtp.RtcpPsfbPacket(fmt=15, ssrc=7, media_ssrc=0, fci=aiortc.rtp.pack_remb_fci(123_456, [8, 9]))
    assert parse_rtcp_untrusted(bytes(theirs)) == [MaximumBitrate(7, 123_456, (8, 9))]


def test_transport_wide_feedback_of_the_draft_is_read_in_each_kind_of_chunk() -> None:
    """Runs and vectors as in §3.1.3 and §3.1.4, by hand."""
    head = bytes.fromhex("8fcd0009 00000001 00000002 fffe 0014 000002 07")
    chunks = bytes.fromhex("2003 9fe0 d800")  # three with small deltas; 14 of which 8 have; small, large, none
    padded = head + chunks + bytes([4, 8, 0, *[1] * 8, 1, 0xFF, 0xFE])
    padded += bytes(-len(padded) % 4)
    data = padded[:2] + (len(padded) // 4 - 1).to_bytes(2) + padded[4:]
    [feedback] = parse_rtcp_untrusted(data)
    assert isinstance(feedback, TransportFeedback)
    assert (feedback.base, feedback.reference_time, feedback.count) == (0xFFFE, 2, 7)
    assert feedback.arrivals[:3] == (4, 12, 12)
    assert feedback.arrivals[3:] == (None, *range(13, 21), *[None] * 5, 21, 19, None)


def test_transport_wide_feedback_of_chromium_is_read_whose_padding_is_no_whole_word() -> None:
    data = bytes.fromhex("afcd0006 996935e6 3b956497 00ed0003 08cf9c4f 2003cb4d 53000003")
    [feedback] = parse_rtcp_untrusted(data)
    assert feedback == TransportFeedback(
        0x996935E6, 0x3B956497, 0xED, 0x4F, 0x08CF9C, (0xCB, 0xCB + 0x4D, 0xCB + 0x4D + 0x53)
    )


def test_of_more_feedback_than_anybody_sends_the_first_is_read() -> None:
    report, nack = ReceiverReport(1), Nack(1, 2, ((3, 0),))
    packets = parse_rtcp_untrusted(build_rtcp([report, *[nack] * 20, Goodbye((1,))]))
    assert packets == [report, *[nack] * MAX_FEEDBACK, Goodbye((1,))]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\xcd\x00\x02" + bytes(8),
        b"\x8f\xcd\x00\x03" + bytes(12),
        b"\x8f\xcd\x00\x04" + bytes(10) + b"\xff\xff" + bytes(4),
        b"\x8f\xcd\x00\x04" + bytes(10) + b"\x00\x01" + bytes(4),
        b"\x8f\xcd\x00\x05" + bytes(10) + b"\x00\x09" + bytes(4) + b"\x20\x09" + bytes(2),
        b"\x8f\xcd\x00\x05" + bytes(10) + b"\x00\x01" + bytes(4) + b"\x60\x01" + bytes(2),
        b"\x8f\xcd\x00\x05" + bytes(10) + b"\x00\x01" + bytes(4) + b"\x20\x00" + bytes(2),
        b"\x8f\xce\x00\x04" + bytes(8) + b"REMB\x02\x00\x00\x00",
        b"\x80\xcf\x00\x00",
        b"\x80\xcf\x00\x02" + bytes(4) + b"\x04\x00\x00\x02",
        b"\x80\xcf\x00\x03" + bytes(4) + b"\x05\x00\x00\x01" + bytes(4),
    ],
    ids=["no-entry", "no-head", "many-statuses", "no-chunk", "no-deltas", "reserved-symbol", "empty-run", "no-source",
         "nobody", "block", "half-a-delay"],
)  # fmt: skip
def test_feedback_that_contradicts_itself_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_rtcp_untrusted(data)


def test_feedback_of_another_application_is_skipped() -> None:
    assert parse_rtcp_untrusted(b"\x8f\xce\x00\x04" + bytes(8) + b"ELSE" + bytes(4)) == []


def test_unknown_blocks_of_an_extended_report_are_skipped() -> None:
    data = b"\x80\xcf\x00\x05" + (5).to_bytes(4) + b"\x07\x00\x00\x00" + b"\x04\x00\x00\x02" + (9).to_bytes(8)
    assert parse_rtcp_untrusted(data) == [ExtendedReport(5, 9)]


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


FEEDBACK: list[RtcpPacket] = [
    Nack(1, 2, ((3, 0xFFFF), (40, 1))),
    TransportFeedback(1, 2, 65535, 3, 4, (5, None, 6, 20_000, None, *range(20_000, 20_020))),
    MaximumBitrate(1, 50_000, (2,)),
    ExtendedReport(1, 2**63, (ReferenceDelay(2, 3, 4),)),
]


def test_fuzz_parse_rtcp() -> None:
    """parse_rtcp_untrusted raises nothing but Malformed, whatever the bytes.

    So do what it reads packets with: parse_sender_report_untrusted, parse_receiver_report_untrusted,
    parse_source_description_untrusted, parse_goodbye_untrusted, parse_nack_untrusted, parse_maximum_bitrate_untrusted,
    parse_transport_feedback_untrusted, parse_extended_report_untrusted.
    """
    rng = random.Random(2)
    for seed in [*SEEDS, *(build_rtcp([packet]) for packet in FEEDBACK), build_rtcp(FEEDBACK)]:
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


def test_arrivals_too_far_from_each_other_are_no_feedback() -> None:
    with pytest.raises(ValueError, match="at most 8 seconds apart"):
        build_rtcp([TransportFeedback(1, 2, 0, 0, 0, (0, 40_000))])
