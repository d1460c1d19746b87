"""Experiments as users run them: from TOML and from Python, again, with mistakes, and with what crashes."""

import csv
import json
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from glottis.cli import main
from glottis.contracts.errors import ConfigurationError
from glottis.lab import Codec, Delay, Experiment, Network, Protection, read_experiment
from glottis.lab.keys import key_of
from glottis.lab.progress import ProgressLine, in_words
from glottis.lab.running import CRASHED
from glottis.lab.threads import in_one_thread
from glottis.wire.rtp import build_rtp
from support.audio import SPEECH
from support.full_disk import disk_of
from support.hiding import HIDE
from threadpoolctl import threadpool_info

LOSSY = Network(loss=0.1)

CODEC = '''
"""A codec of plain samples."""
import os
from glottis import CodecSpec, hookimpl
class Plain:
    def __init__(self, *settings): pass
    def encode(self, pcm): return pcm
    def set_expected_loss(self, fraction): pass
    def set_bitrate(self, bits_per_second): pass
    def decode(self, payload): return payload
    def decode_fec(self, next_payload, sample_count): return bytes(2 * sample_count)
    def conceal(self, sample_count): return bytes(2 * sample_count)
class Ending(Plain):
    def encode(self, pcm):
        if any(pcm[:2]): os._exit(3)
        return pcm
class Raising(Plain):
    def encode(self, pcm): raise RuntimeError("no voice") if not pcm[:2] == bytes(range(2)) else None
@hookimpl
def register_codecs():
    return [
        CodecSpec(name, 16000, encoder, Plain, lambda payload: len(payload) // 2, sample_rates=(16000,))
        for name, encoder in (("plain", Plain), ("ending", Ending), ("raising", Plain))
    ]
'''


def listed(folder: Path) -> dict[str, bytes]:
    """All files but those of what it has cost."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "costs" not in path.name and path.name != "report.html"
    }


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(f'speech = ["{SPEECH}"]\n{text}')
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an experiment that was run once, in this process."""
    folder = tmp_path_factory.mktemp("results")
    Experiment(speech=(str(SPEECH),), networks=(Network(), LOSSY), seeds=2).run(folder, processes=0)
    return folder


@pytest.mark.slow
def test_all_combinations_are_tried_and_listed(folder: Path) -> None:
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["seed"]) for row in rows] == [
        ("clean", "0"),
        ("clean", "1"),
        ("loss 0.1", "0"),
        ("loss 0.1", "1"),
    ]
    assert all(float(row["pesq"]) > 1 for row in rows)
    assert [row["key"] for row in json.loads((folder / "results.json").read_bytes())["rows"]] == [
        row["key"] for row in rows
    ]
    for name in ("quality-against-loss", "delay-over-time-0", "delay-over-time-1"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()


@pytest.mark.slow
def test_the_same_experiment_gives_the_same_bytes_in_processes_of_its_own(folder: Path, tmp_path: Path) -> None:
    Experiment(speech=(str(SPEECH),), networks=(Network(), LOSSY), seeds=2).run(tmp_path, processes=2)
    assert listed(tmp_path) == listed(folder)


@pytest.mark.slow
def test_what_was_run_is_not_run_again_and_what_was_not_is(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "conditions").iterdir()}
    told: list[str] = []
    Experiment(speech=(str(SPEECH),), networks=(LOSSY, Network()), seeds=2).run(folder, processes=0, tell=told.append)
    assert "4 of 4 were done before" in told
    assert {path: path.stat().st_mtime_ns for path in (folder / "conditions").iterdir()} == before
    changed = Experiment(speech=(str(SPEECH),), codecs=(Codec(complexity=1),))
    changed.run(folder, processes=0)
    assert len(list((folder / "conditions").glob("*.wav"))) == 5


@pytest.mark.slow
def test_a_condition_that_fails_or_crashes_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "codecs.py").write_text(CODEC)
    path = written(
        tmp_path,
        'plugins = ["codecs.py"]\n'
        'codecs = [{ codec = "plain" }, { codec = "ending" }, { codec = "PCMU", sample_rate = 8000 }]\n'
        '[[delays]]\npolicy = "fixed"\n[[delays]]\npolicy = "delays.py:raising"',
    )
    (tmp_path / "delays.py").write_text('def raising():\n    raise RuntimeError("no delay today")\n')
    results = read_experiment(path).run(tmp_path / "results", processes=2)
    errors = {(row.result.labels["codec"], row.result.labels["delay"]): row.result.error for row in results.rows}
    assert errors["plain", "fixed"] == errors["PCMU, sample_rate 8000", "fixed"] == ""
    assert errors["ending", "fixed"] == CRASHED
    assert "no delay today" in errors["plain", "delays.py:raising"]
    page = (tmp_path / "results" / "report.html").read_text()
    assert "no delay today" in page


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_what_was_kept(folder: Path, tmp_path: Path) -> None:
    experiment = Experiment(speech=(str(SPEECH),), networks=(Network(delay_ms=1),))
    before = sorted((folder / "conditions").iterdir())
    with disk_of(20_000), pytest.raises(ConfigurationError, match="cannot be written: File too large; what was"):
        experiment.run(folder, processes=0)
    assert sorted((folder / "conditions").iterdir()) == before
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ConfigurationError, match="results: cannot be written: Not a directory"):
        experiment.run(tmp_path / "results", processes=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "exit_code"), [("os.killpg(0, signal.SIGINT)", 130), ("os.kill(os.getppid(), signal.SIGKILL)", -9)]
)
def test_its_processes_end_with_it_without_a_word(does: str, exit_code: int, tmp_path: Path) -> None:
    path = written(tmp_path, '[[delays]]\npolicy = "delays.py:ending"')
    (tmp_path / "delays.py").write_text(f"import os, signal\ndef ending():\n    {does}\n    while True: signal.pause()")
    run = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whatever a shell has ignored
        f"from glottis.cli import main; sys.exit(main(['lab', 'run', {str(path)!r}, '--processes', '2']))"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, start_new_session=True)
    assert done.returncode == exit_code
    assert done.stderr.splitlines()[1:] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[networks]]\nlos = 0.1", "networks[0].los"),
        ("[[networks]]\nloss = 1.5", "networks[0].loss"),
        ('[[networks]]\npreset = "5g"', "there is no '5g'"),
        ('[[networks]]\ntrace = "none.json"', "none.json"),
        ("[[networks]]\n[networks.back]\nbursts = { loss = 0.1 }", "networks[0].back.bursts"),
        ('[[codecs]]\ncodec = "mp3"', "no codec is named 'mp3'"),
        ("[[codecs]]\nsample_rate = 44100", "opus takes 8000"),
        ('[[delays]]\npolicy = "clever"', "expected adaptive, fixed or FILE.py:FUNCTION"),
        ('[[delays]]\npolicy = "none.py:make"', "there is no such Python file"),
        ("[[networks]]\nloss = 0.1\n[[networks]]\nloss = 0.1", "two have the label 'loss 0.1'"),
        ("seeds = 0", "seeds"),
        ("seeds = ", "is no TOML"),
    ],
)
def test_mistakes_are_told_with_their_paths(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_experiment(written(tmp_path, text)).run(tmp_path / "results", processes=0)
    assert said in str(caught.value).replace("networks.0", "networks[0]")


@pytest.mark.slow
def test_what_takes_long_is_not_begun_unasked(tmp_path: Path) -> None:
    experiment = Experiment(speech=(str(SPEECH),), seeds=10_000)
    with pytest.raises(ConfigurationError, match=r"this takes about \d+ min: run it with --yes"):
        experiment.run(tmp_path, processes=2)
    assert not (tmp_path / "conditions").exists()


@pytest.mark.slow
def test_names_that_are_html_are_shown_as_text(tmp_path: Path) -> None:
    speech = tmp_path / "<img src=x onerror=alert(1)>.wav"
    speech.write_bytes(SPEECH.read_bytes())
    label = "<script>alert('a&b')</script>"
    Experiment(name=label, speech=(str(speech),), networks=(Network(label=label),)).run(tmp_path / "r", processes=0)
    page = (tmp_path / "r" / "report.html").read_text()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(&#x27;a&amp;b&#x27;)" in page
    assert page.count("<audio") == 1
    assert "data:audio/wav;base64,UklGR" in page
    assert "http" not in page.replace("http-equiv", "")


def test_settings_are_named_by_what_is_not_as_usual() -> None:
    experiment = Experiment(
        speech=("a/b.wav",),
        codecs=(Codec(), Codec(bitrate=24000, label="low")),
        delays=(Delay(), Delay(policy="fixed", ms=80)),
        protections=(Protection(), Protection(fec=False), Protection(red="on")),
        networks=(Network(preset="train"), Network(preset="train", loss=0.1)),
    )
    labels = [condition.labels for condition in experiment.conditions]
    assert {one["speech"] for one in labels} == {"b.wav"}
    assert {one["codec"] for one in labels} == {"opus", "low"}
    assert {one["delay"] for one in labels} == {"adaptive", "fixed, ms 80"}
    assert {one["protection"] for one in labels} == {"fec", "fec off", "red on"}
    assert {one["network"] for one in labels} == {"train", "train, loss 0.1"}


def test_numpy_has_one_thread_while_conditions_are_run() -> None:
    with in_one_thread():
        libraries = threadpool_info()
    assert {library["num_threads"] for library in libraries} == {1}


def test_progress_is_told_once_a_second_with_what_is_left() -> None:
    told: list[str] = []
    now = iter([0.0, 0.5, 1.0, 2.0, 2.1, 2.2])
    line = ProgressLine(told.append, lambda: next(now))
    for done in range(4, 10):
        line(done, 9, failed=done // 9)
    assert told == ["4 of 9 were done before", "6 of 9 done, about 2 s left", "7 of 9 done, about 1 s left", told[-1]]
    assert told[-1].startswith("9 of 9 done, 1 failed in")
    assert [in_words(seconds) for seconds in (5, 600, 100_000)] == ["5 s", "10 min", "28 h"]


def test_what_is_left_follows_what_the_machine_did_of_late() -> None:
    """Two conditions a second for a minute, and then one in two seconds, for other programs want the machine."""
    told: list[str] = []
    moments = [0.5 * number for number in range(121)] + [60 + 2 * number for number in range(1, 41)]
    now = iter(moments)
    line = ProgressLine(told.append, lambda: next(now))
    for done in range(len(moments)):
        line(done, 260, failed=0)
    assert "120 of 260 done, about 70 s left" in told
    assert told[-1] == "160 of 260 done, about 3 min left"  # by all that was done it would be a minute and a half


@pytest.mark.slow
def test_the_command_runs_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "[[networks]]\nloss = 0.1\n")
    assert main(["lab", "run", str(path), "--processes", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "mine-results" / "report.html")
    assert "1 conditions, about" in err
    assert main(["lab", "compare", str(tmp_path / "mine-results"), str(tmp_path / "mine-results")]) == 0
    assert capsys.readouterr().out.endswith("neither better nor worse\n")


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "networks = [{ loss = 2 }]")
    assert main(["lab", "run", str(path)]) == 2
    assert "loss" in capsys.readouterr().err
    (tmp_path / "bad.pcap").write_bytes(b"no capture")
    assert main(["lab", "trace", str(tmp_path / "bad.pcap")]) == 2
    assert "bad.pcap: capture: expected" in capsys.readouterr().err
    assert main(["lab", "compare", str(tmp_path), str(tmp_path)]) == 2
    assert "results.json: cannot be read" in capsys.readouterr().err
    assert main(["lab", "networks"]) == 0
    assert "hotel-wifi" in capsys.readouterr().out


def test_the_command_makes_a_network_of_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = [(1.0 + 0.02 * number, number) for number in range(100) if number not in (40, 41)]
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    (tmp_path / "call.pcap").write_bytes(head + b"".join(record(at, number) for at, number in packets))
    assert main(["lab", "trace", str(tmp_path / "call.pcap")]) == 0
    said = capsys.readouterr().out
    assert "SSRC 0x00000007 at 48000 Hz: 2 s, 2 of 100 packets lost, 0 ms late in the median" in said
    for wrong, line in (
        (["--output", str(tmp_path / "no" / "t")], "t: cannot be written"),
        (["--clock-rate", "-5"], "1 or"),
    ):
        assert main(["lab", "trace", str(tmp_path / "call.pcap"), *wrong]) == 2
        assert line in capsys.readouterr().err
    path = written(tmp_path, '[[networks]]\ntrace = "call.trace.json"')
    [condition] = read_experiment(path).check()
    assert condition.labels["network"] == "trace call.trace.json"
    assert key_of(condition) != key_of(msgspec.structs.replace(condition, network=Network()))


def record(at: float, number: int) -> bytes:
    """Of a packet of RTP over UDP and IPv4."""
    rtp = build_rtp(111, number, 960 * number, 7, b"speech")
    udp = struct.pack(">HHHH", 4000, 5000, 8 + len(rtp), 0) + rtp
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + bytes(8) + udp
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), len(ip), len(ip)) + ip


WITHOUT = f"""
import sys
from glottis.cli import main
{HIDE}
assert not {{"numpy", "pesq", "matplotlib", "glottis.lab"}} & sys.modules.keys()
hide(sys.argv[1])
sys.exit(main(["lab", "networks"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["pesq", "glottis.lab", "glottis.testing"])
def test_nothing_of_it_is_imported_before_and_what_is_missing_is_named(missing: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT, missing], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"glottis: lab: {missing} is not installed: pip install 'glottis[lab]'\n"
