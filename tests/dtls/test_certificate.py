import hashlib
import re

import pytest
from glottis.dtls import Certificate, fingerprint_of, matches_fingerprint

OURS = Certificate.generate()


def test_a_fingerprint_is_upper_case_sha_256_with_colons() -> None:
    algorithm, value = OURS.fingerprint
    assert algorithm == "sha-256"
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", value)
    assert bytes.fromhex(value.replace(":", "")) == hashlib.sha256(OURS.der).digest()


def test_each_process_has_a_key_of_its_own() -> None:
    assert Certificate.generate().fingerprint != OURS.fingerprint


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512", "SHA-256"])
def test_a_peer_may_announce_by_any_strong_hash_in_any_case(algorithm: str) -> None:
    value = fingerprint_of(OURS.der, algorithm.lower()).value
    assert matches_fingerprint(OURS.der, [(algorithm, value)])
    assert matches_fingerprint(OURS.der, [(algorithm, value.lower())])


def test_any_of_several_fingerprints_of_one_hash_may_match() -> None:
    other = Certificate.generate().fingerprint
    assert matches_fingerprint(OURS.der, [other, OURS.fingerprint])
    assert not matches_fingerprint(OURS.der, [other])


def test_only_the_strongest_announced_hash_counts() -> None:
    wrong = fingerprint_of(Certificate.generate().der, "sha-512")
    assert not matches_fingerprint(OURS.der, [OURS.fingerprint, wrong])


@pytest.mark.parametrize(
    "fingerprints",
    [
        [],
        [("sha-1", hashlib.sha1(OURS.der).digest().hex(":").upper())],
        [("md5", hashlib.md5(OURS.der).digest().hex(":").upper())],
        [("sha-256", "")],
        [("sha-256", OURS.fingerprint.value[:-3])],
        [("sha-256", "ß" * 95)],
        [("", "")],
    ],
    ids=["none", "sha-1", "md5", "empty", "cut", "not ASCII", "nothing"],
)
def test_weak_broken_or_missing_fingerprints_do_not_match(fingerprints: list[tuple[str, str]]) -> None:
    assert not matches_fingerprint(OURS.der, fingerprints)
