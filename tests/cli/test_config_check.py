"""What ``glottis config check`` says of the files of HTTPS."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from glottis.cli import main
from support.tls import make_certificate


def check(folder: Path, certificate: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    path = folder / "glottis.toml"
    path.write_text(f'[server]\ncertificate = "{certificate}"\nprivate_key = "{key}"\n')
    return main(["config", "check", "--config", str(path)]), capsys.readouterr().err


def test_a_pair_in_date_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, *make_certificate(tmp_path), capsys) == (0, "")


def test_one_that_has_expired_can_be_served_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = make_certificate(tmp_path, until=datetime.now(UTC) - timedelta(hours=1))
    code, errors = check(tmp_path, *files, capsys)
    assert code == 0
    assert "server.certificate: " in errors
    assert "has expired on" in errors


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"nonsense", "expected PEM"),
        (b"other", "is not the key of"),
    ],
)
def test_a_key_that_is_missing_nonsense_or_anothers_is_a_mistake(
    content: bytes | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = make_certificate(tmp_path)
    if content is None:
        key.unlink()
    elif content == b"other":
        (tmp_path / "other").mkdir()
        key = make_certificate(tmp_path / "other")[1]
    else:
        key.write_bytes(content)
    code, errors = check(tmp_path, certificate, key, capsys)
    assert code == 2
    assert complaint in errors
