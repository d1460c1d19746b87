import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis.cli.cert import make_files, own_names
from glottis.cli.command_line import main
from glottis.dtls.validity import validity
from glottis.server.http.certificates import load

NOW = datetime(2027, 1, 1, tzinfo=UTC)
KEPT = ("authority-key.pem", "authority.pem", "key.pem")


async def _is_believed(folder: Path, host: str) -> bool:
    """By a client that trusts the authority."""
    ours, theirs = trio.testing.memory_stream_pair()
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    server = trio.SSLStream(theirs, load(str(folder / "certificate.pem"), str(folder / "key.pem")), server_side=True)
    client = trio.SSLStream(ours, context, server_hostname=host)
    is_believed = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.do_handshake)
        try:
            await client.do_handshake()
        except trio.BrokenResourceError:
            is_believed = False
            nursery.cancel_scope.cancel()
    return is_believed


async def test_browsers_that_trust_the_authority_believe_each_name_and_no_other(tmp_path: Path) -> None:
    make_files(tmp_path, ["box", "box.local", "192.0.2.7", "2001:db8::7"], datetime.now(UTC))
    for host in ("box", "box.local", "192.0.2.7", "2001:db8::7"):
        assert await _is_believed(tmp_path, host)
    assert not await _is_believed(tmp_path, "other.local")


def test_again_renews_the_certificate_and_keeps_all_else(tmp_path: Path) -> None:
    make_files(tmp_path, ["box"], NOW)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    make_files(tmp_path, ["box", "new.local"], NOW + timedelta(days=300))
    assert sorted(before) == sorted(file.name for file in tmp_path.iterdir()) == sorted((*KEPT, "certificate.pem"))
    assert all((tmp_path / name).read_bytes() == before[name] for name in KEPT)
    assert validity((tmp_path / "certificate.pem").read_bytes())[1] == NOW + timedelta(days=697)
    make_files(tmp_path, ["box"], NOW + timedelta(days=3600))
    assert validity((tmp_path / "certificate.pem").read_bytes())[1] == NOW + timedelta(days=3650)  # as the authority's
    with pytest.raises(ValueError, match="has expired"):
        make_files(tmp_path, ["box"], NOW + timedelta(days=3651))


def test_nobody_else_may_read_the_keys(tmp_path: Path) -> None:
    make_files(tmp_path, ["box"], NOW)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o600} == {"authority-key.pem", "key.pem"}


def test_clock_that_was_not_set_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the clock says 1970"):
        make_files(tmp_path / "new", ["box"], datetime(1970, 1, 1, tzinfo=UTC))
    assert not (tmp_path / "new").exists()


def test_command_says_what_to_do_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cert", "more.example", "--into", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"more.example, {', '.join(own_names())}" in said
    assert f'private_key = "{tmp_path}/key.pem"' in said
    (tmp_path / "authority.pem").write_text("spoiled")
    assert main(["cert", "--into", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
