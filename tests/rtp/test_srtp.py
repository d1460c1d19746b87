import json
import random
import struct
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from glottis.contracts.errors import LocalError, Malformed
from glottis.rtp.srtp import MAX_RTP_PAYLOAD, MAX_SSRCS, Replayed, SrtpSession
from glottis.wire.srtp_keys import AES128_CM_HMAC_SHA1_80, SRTP_PROFILES, SrtpKeys, SrtpProfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

RFC_7714 = json.loads((Path(__file__).parents[1] / "vectors/srtp/rfc7714.json").read_text())
GCM_PROFILES = SRTP_PROFILES[:2]
NOW = 7.0


def rtp(sequence_number: int = 1, ssrc: int = 0x1234, payload: bytes = bytes(40)) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, sequence_number & 0xFFFF, 960 * sequence_number, ssrc) + payload


def receiver_report(ssrc: int = 0x1234) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


def make_keys(profile: SrtpProfile, seed: int = 0) -> SrtpKeys:
    draw = random.Random(seed).randbytes
    lengths = (profile.key_length, profile.salt_length) * 2
    return SrtpKeys(profile, *(draw(length) for length in lengths))


def mirrored(keys: SrtpKeys) -> SrtpKeys:
    return SrtpKeys(keys.profile, keys.remote_key, keys.remote_salt, keys.local_key, keys.local_salt)


class Pair(NamedTuple):
    ours: SrtpSession
    theirs: SrtpSession


@pytest.fixture(params=SRTP_PROFILES, ids=lambda profile: profile.name)
def pair(request: pytest.FixtureRequest) -> Pair:
    keys = make_keys(request.param)
    return Pair(SrtpSession(keys), SrtpSession(mirrored(keys)))


def test_packets_survive_the_way_in_both_directions(pair: Pair) -> None:
    for ours, theirs in (pair, reversed(pair)):
        assert theirs.unprotect_untrusted(ours.protect(rtp()), NOW) == rtp()
        assert theirs.unprotect_rtcp_untrusted(ours.protect_rtcp(receiver_report()), NOW) == receiver_report()


def test_payload_is_not_readable_on_the_way(pair: Pair) -> None:
    assert b"a caller's secret" not in pair.ours.protect(rtp(payload=b"a caller's secret"))


def test_sequence_numbers_may_wrap_around(pair: Pair) -> None:
    for sequence_number in range(65_500, 65_600):
        packet = rtp(sequence_number)
        assert pair.theirs.unprotect_untrusted(pair.ours.protect(packet), NOW) == packet


def test_reordered_packets_are_accepted(pair: Pair) -> None:
    protected = [pair.ours.protect(rtp(sequence_number)) for sequence_number in range(50)]
    assert {pair.theirs.unprotect_untrusted(data, NOW) for data in reversed(protected)} == set(map(rtp, range(50)))


def test_every_flipped_bit_is_noticed(pair: Pair) -> None:
    good = pair.ours.protect(rtp(payload=b"tone"))
    for bit in range(8 * len(good)):
        tampered = bytearray(good)
        tampered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            pair.theirs.unprotect_untrusted(bytes(tampered), NOW)
    assert pair.theirs.unprotect_untrusted(good, NOW) == rtp(payload=b"tone")


def test_a_replayed_packet_is_refused_and_told_from_a_forged_one(pair: Pair) -> None:
    data, control = pair.ours.protect(rtp()), pair.ours.protect_rtcp(receiver_report())
    pair.theirs.unprotect_untrusted(data, NOW)
    pair.theirs.unprotect_rtcp_untrusted(control, NOW)
    with pytest.raises(Replayed):
        pair.theirs.unprotect_untrusted(data, NOW)
    with pytest.raises(Replayed):
        pair.theirs.unprotect_rtcp_untrusted(control, NOW)


def test_a_packet_from_long_ago_is_refused(pair: Pair) -> None:
    oldest = pair.ours.protect(rtp(0))
    for sequence_number in range(1, 1000):
        pair.theirs.unprotect_untrusted(pair.ours.protect(rtp(sequence_number)), NOW)
    with pytest.raises(Replayed):
        pair.theirs.unprotect_untrusted(oldest, NOW)


def test_our_own_packets_sent_back_to_us_are_refused(pair: Pair) -> None:
    with pytest.raises(Malformed):
        pair.ours.unprotect_untrusted(pair.ours.protect(rtp()), NOW)


def test_the_ssrc_unheard_for_longest_gives_way_to_a_new_one(pair: Pair) -> None:
    for ssrc in range(MAX_SSRCS):
        pair.theirs.unprotect_untrusted(pair.ours.protect(rtp(ssrc=ssrc)), NOW)
    pair.theirs.unprotect_rtcp_untrusted(pair.ours.protect_rtcp(receiver_report(ssrc=0)), NOW)
    assert pair.theirs.retired_sources == 0
    new = rtp(ssrc=MAX_SSRCS)
    assert pair.theirs.unprotect_untrusted(pair.ours.protect(new), NOW) == new
    report = receiver_report(ssrc=MAX_SSRCS + 1)
    assert pair.theirs.unprotect_rtcp_untrusted(pair.ours.protect_rtcp(report), NOW) == report
    assert pair.theirs.retired_sources == 2
    for ssrc, admitted in ((0, True), (1, False), (2, False), (3, True)):
        protected = pair.ours.protect(rtp(2, ssrc))
        with nullcontext() if admitted else pytest.raises(Malformed, match="does not come back"):
            pair.theirs.unprotect_untrusted(protected, NOW)


def test_what_a_source_sent_before_it_gave_way_is_no_second_time_accepted(pair: Pair) -> None:
    packets = [pair.ours.protect(rtp(number, ssrc=1000)) for number in range(3)]
    reports = [pair.ours.protect_rtcp(receiver_report(ssrc=1000)) for _ in range(3)]
    for packet in packets:
        pair.theirs.unprotect_untrusted(packet, NOW)
    for ssrc in range(2 * MAX_SSRCS):
        pair.theirs.unprotect_untrusted(pair.ours.protect(rtp(ssrc=ssrc)), NOW)
    for packet, report in zip(packets, reports, strict=True):
        with pytest.raises(Malformed):
            pair.theirs.unprotect_untrusted(packet, NOW)
        with pytest.raises(Malformed):
            pair.theirs.unprotect_rtcp_untrusted(report, NOW)


def test_a_sender_may_restart_hundreds_of_times(pair: Pair) -> None:
    for now, ssrc in enumerate(random.Random(5).sample(range(2**32), 500)):
        for number in range(65_534, 65_538):  # with a wrap, so that rollover counters differ
            packet = rtp(number, ssrc)
            assert pair.theirs.unprotect_untrusted(pair.ours.protect(packet), now) == packet
    assert pair.theirs.retired_sources == 500 - MAX_SSRCS


def test_a_stream_takes_one_place_for_rtp_and_rtcp_together() -> None:
    keys = make_keys(AES128_CM_HMAC_SHA1_80)
    ours, theirs = SrtpSession(keys), SrtpSession(mirrored(keys), max_ssrcs=1)
    theirs.unprotect_untrusted(ours.protect(rtp()), NOW)
    assert theirs.unprotect_rtcp_untrusted(ours.protect_rtcp(receiver_report()), NOW) == receiver_report()


def test_forged_ssrcs_take_no_place(pair: Pair) -> None:
    stranger = SrtpSession(make_keys(AES128_CM_HMAC_SHA1_80, seed=1))
    for ssrc in range(1000):
        with pytest.raises(Malformed):
            pair.theirs.unprotect_untrusted(stranger.protect(rtp(ssrc=ssrc)) + bytes(6), NOW)
        with pytest.raises(Malformed):
            pair.theirs.unprotect_rtcp_untrusted(stranger.protect_rtcp(receiver_report(ssrc)) + bytes(6), NOW)
    assert pair.theirs.unprotect_untrusted(pair.ours.protect(rtp()), NOW) == rtp()


@pytest.mark.parametrize("length", [0, 1, 11, 12, 21, 22, 1500, 1501, 5000, 65_507])
def test_no_length_of_junk_does_harm(pair: Pair, length: int) -> None:
    junk = random.Random(length).randbytes(length)
    for data in (junk, b"\x80\x6f" + junk[2:], b"\xbf\xff" + junk[2:]):
        with pytest.raises(Malformed):
            pair.theirs.unprotect_untrusted(data[:length], NOW)
        with pytest.raises(Malformed):
            pair.theirs.unprotect_rtcp_untrusted(data[:length], NOW)


def unprotect_functions(seed: int) -> list[Callable[[bytes, float], bytes]]:
    sessions = [SrtpSession(make_keys(profile, seed)) for profile in SRTP_PROFILES]
    return [f for session in sessions for f in (session.unprotect_untrusted, session.unprotect_rtcp_untrusted)]


@settings(max_examples=examples(150), derandomize=True)
@given(st.binary(max_size=1600))
def test_fuzz_unprotect_untrusted_raises_only_malformed(data: bytes) -> None:
    """unprotect_untrusted and unprotect_rtcp_untrusted raise exactly Malformed, whatever arrives."""
    for unprotect in unprotect_functions(seed=2):
        with pytest.raises(Malformed):
            unprotect(data, NOW)


@pytest.mark.parametrize("seed", range(5))
def test_fuzz_mutated_packets_raise_only_malformed(seed: int) -> None:
    """unprotect_untrusted and unprotect_rtcp_untrusted raise exactly Malformed for damaged real packets."""
    rng = random.Random(seed)
    for profile in SRTP_PROFILES:
        ours = SrtpSession(make_keys(profile))
        theirs = SrtpSession(mirrored(make_keys(profile)))
        for sequence_number in range(100):
            packet = bytearray(ours.protect(rtp(sequence_number)))
            packet[rng.randrange(len(packet))] ^= 1 + rng.randrange(255)
            del packet[rng.choice((len(packet), rng.randrange(len(packet)))) :]
            for unprotect in (theirs.unprotect_untrusted, theirs.unprotect_rtcp_untrusted):
                with pytest.raises(Malformed):
                    unprotect(bytes(packet), NOW)


def test_our_own_mistakes_are_named_as_ours(pair: Pair) -> None:
    pair.ours.protect(rtp())
    for packet in (rtp(), b"", b"\x80", rtp(2, payload=bytes(1400))):  # repeated, empty, cut short, too long
        with pytest.raises(LocalError, match="cannot protect"):
            pair.ours.protect(packet)
    for packet in (b"", receiver_report() + bytes(1400)):
        with pytest.raises(LocalError, match="cannot protect"):
            pair.ours.protect_rtcp(packet)


def test_the_longest_packets_pass(pair: Pair) -> None:
    packet = rtp(payload=bytes(MAX_RTP_PAYLOAD))
    assert pair.theirs.unprotect_untrusted(pair.ours.protect(packet), NOW) == packet


def test_keys_do_not_show_in_their_repr() -> None:
    keys = make_keys(AES128_CM_HMAC_SHA1_80)
    assert repr(keys) == f"SrtpKeys(profile={keys.profile!r})"


# RFC 7714's packets are made with session keys, libsrtp takes master keys only. So a second implementation, written
# from the RFCs on another library, is held against the vectors first, and then libsrtp against it.


def derive(keys: SrtpKeys, label: int, length: int) -> bytes:
    """RFC 3711 §4.3.1 with a key derivation rate of 0: AES in counter mode over zeros."""
    salt = int.from_bytes(keys.local_salt.ljust(14, b"\0")) ^ label << 48
    stream = Cipher(algorithms.AES(keys.local_key), modes.CTR((salt << 16).to_bytes(16))).encryptor()
    return stream.update(bytes(length))


def gcm_rtp(key: bytes, salt: bytes, packet: bytes) -> bytes:
    """RFC 7714 §8.1, for a rollover counter of 0."""
    counter = int.from_bytes(packet[8:12]) << 48 | int.from_bytes(packet[2:4])
    iv = (int.from_bytes(salt) ^ counter).to_bytes(12)
    return packet[:12] + AESGCM(key).encrypt(iv, packet[12:], packet[:12])


def gcm_rtcp(key: bytes, salt: bytes, packet: bytes, index: int) -> bytes:
    """RFC 7714 §9.1, encrypted."""
    iv = (int.from_bytes(salt) ^ (int.from_bytes(packet[4:8]) << 48 | index)).to_bytes(12)
    trailer = (1 << 31 | index).to_bytes(4)
    return packet[:8] + AESGCM(key).encrypt(iv, packet[8:], packet[:8] + trailer) + trailer


@pytest.mark.parametrize("vector", RFC_7714, ids=lambda vector: vector["name"])
def test_the_second_implementation_makes_the_packets_of_rfc_7714(vector: dict[str, str]) -> None:
    raw = {name: bytes.fromhex(value) for name, value in vector.items() if name != "name"}
    key, salt = raw["srtpSessionKey"], raw["srtpSessionSalt"]
    assert gcm_rtp(key, salt, raw["decryptedRTPPacket"]) == raw["encryptedRTPPacket"]
    assert gcm_rtcp(key, salt, raw["decryptedRTCPPacket"], 0x5D4) == raw["encryptedRTCPPacket"]


def test_the_second_implementation_derives_the_keys_of_rfc_3711_appendix_b3() -> None:
    key, salt = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    keys = SrtpKeys(AES128_CM_HMAC_SHA1_80, key, salt, key, salt)
    assert derive(keys, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derive(keys, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"


@pytest.mark.parametrize("profile", GCM_PROFILES, ids=lambda profile: profile.name)
def test_sessions_speak_rfc_7714(profile: SrtpProfile) -> None:
    keys = make_keys(profile)
    session = SrtpSession(keys)
    packet, report = rtp(payload=b"Gallia est omnis divisa"), receiver_report() + bytes(24)
    protected_report = session.protect_rtcp(report)
    index = int.from_bytes(protected_report[-4:]) & 0x7FFFFFFF
    key, salt = derive(keys, 0, profile.key_length), derive(keys, 2, 12)
    assert session.protect(packet) == gcm_rtp(key, salt, packet)
    key, salt = derive(keys, 3, profile.key_length), derive(keys, 5, 12)
    assert protected_report == gcm_rtcp(key, salt, report, index)
