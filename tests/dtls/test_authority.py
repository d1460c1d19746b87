from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from glottis.dtls.authority import Authority, new_key, pem_of
from glottis.dtls.validity import validity

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def signed(authority: Authority, now: datetime) -> bytes:
    return authority.sign(new_key(), ["box.local", "192.0.2.7", "2001:db8::7"], now)


def test_what_it_signs_is_for_all_names_and_addresses() -> None:
    authority = Authority.create("box", NOW)
    certificate = x509.load_pem_x509_certificate(signed(authority, NOW))
    certificate.verify_directly_issued_by(authority.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["box.local"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["192.0.2.7", "2001:db8::7"]


def test_nothing_that_it_signs_outlives_it() -> None:
    authority = Authority.create("box", NOW)
    assert validity(signed(authority, NOW))[1] == NOW + timedelta(days=397)
    last = authority.certificate.not_valid_after_utc
    assert validity(signed(authority, last - timedelta(days=1)))[1] == last


def test_it_is_kept_in_two_files_that_must_belong_together() -> None:
    authority = Authority.create("box", NOW)
    assert Authority.load(pem_of(authority.key), authority.pem).certificate == authority.certificate
    with pytest.raises(ValueError, match="not that of the certificate"):
        Authority.load(pem_of(new_key()), authority.pem)
    other = rsa.generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="expected an ECDSA key"):
        Authority.load(pem, authority.pem)
    with pytest.raises(ValueError, match="PEM"):
        Authority.load(b"none", authority.pem)
