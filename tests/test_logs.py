"""The log never holds up who writes to it, however slow standard error is."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest
from glottis.config.log_writer import MAX_CHARACTERS, MAX_LINES, LogWriter, WriterHandler, writing_to
from glottis.config.logs import MAX_TEXT, JsonFormatter, TextFormatter, uncaught_errors_logged
from support.patience import PATIENCE


class Pipe:
    """A pipe, and a logger that writes to it."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        self.stream: TextIO = os.fdopen(write, "w")
        self.handler = WriterHandler(writing_to(self.stream))
        self.handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.log = logging.Logger("piped")
        self.log.addHandler(self.handler)

    def read_until(self, end: str) -> list[str]:
        text = ""
        while not text.endswith(end + "\n"):
            text += os.read(self._read, 1 << 16).decode()
        return text.splitlines()

    def fill(self) -> None:
        """Let the writer wait until what it has begun to write is read."""
        self.log.info("x" * 100_000)
        assert os.read(self._read, 1) == b"I"

    def close_reader(self) -> None:
        os.close(self._read)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.stream.close()


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_told_in_its_place(pipe: Pipe) -> None:
    pipe.fill()
    for number in range(3 * MAX_LINES):
        pipe.log.info("%d", number)
    assert not pipe.handler.writer.flush(0.01)
    assert pipe.handler.writer.dropped == 2 * MAX_LINES
    _, gap, *lines = pipe.read_until(f"{3 * MAX_LINES - 1}")
    assert gap == f"WARNING {2 * MAX_LINES} log records are missing here: standard error took them too slowly"
    assert lines == [f"INFO {number}" for number in range(2 * MAX_LINES, 3 * MAX_LINES)]
    assert pipe.handler.writer.flush()


def test_each_gap_is_told_once(pipe: Pipe) -> None:
    for _ in range(2):
        pipe.fill()
        for number in range(MAX_LINES + 1):
            pipe.log.info("%d", number)
        assert "1 log records are missing" in pipe.read_until(f"{MAX_LINES}")[1]
    pipe.log.info("the end")
    assert pipe.read_until("the end") == ["INFO the end"]


def test_long_lines_give_way_sooner(pipe: Pipe) -> None:
    pipe.fill()
    for number in range(100):
        pipe.log.info("%d %s", number, "x" * MAX_TEXT)
    kept = MAX_CHARACTERS // len(f"INFO 10 {'x' * MAX_TEXT}\n")
    assert pipe.handler.writer.dropped == 100 - kept


def test_the_end_of_the_process_waits_once_for_who_does_not_read(pipe: Pipe) -> None:
    pipe.fill()
    assert not pipe.handler.writer.flush(0.01)
    assert not pipe.handler.writer.flush(3600)
    pipe.log.info("the end")
    pipe.read_until("the end")
    assert pipe.handler.writer.flush(3600)


def test_what_a_record_is_about_is_written_as_it_was(pipe: Pipe) -> None:
    pipe.fill()
    names = ["Ada"]
    pipe.log.info("%s", names)
    names.clear()
    assert pipe.read_until("INFO ['Ada']")


def test_a_stream_that_is_gone_is_no_error_and_is_counted(pipe: Pipe) -> None:
    pipe.close_reader()
    pipe.log.info("into the void")
    assert pipe.handler.writer.flush()
    assert pipe.handler.writer.dropped == 1


def test_a_descriptor_that_does_not_block_gets_all_the_same(pipe: Pipe) -> None:
    os.set_blocking(pipe.stream.fileno(), False)
    pipe.log.info("x" * 200_000)
    pipe.log.info("the end")
    assert len(pipe.read_until("INFO the end")[0]) == len("INFO ") + 200_000


class Unsayable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_a_record_that_cannot_be_formatted_is_told_by_its_place(pipe: Pipe) -> None:
    pipe.log.info("%s", Unsayable())
    pipe.log.info("%d", "one")
    pipe.log.info("the end")
    wordless, wrong, _ = pipe.read_until("INFO the end")
    assert wordless.startswith("ERROR a log record made at ")
    assert "test_logs.py:" in wordless
    assert wordless.endswith("cannot be formatted: RuntimeError: no words")
    assert "TypeError: %d format" in wrong


def test_what_takes_for_ever_to_format_holds_up_only_its_own_thread(pipe: Pipe) -> None:
    begun, released = threading.Event(), threading.Event()

    class Slow:
        def __str__(self) -> str:
            begun.set()
            released.wait()
            return "slow"

    thread = threading.Thread(target=pipe.log.info, args=("%s", Slow()))
    thread.start()
    begun.wait()
    pipe.log.info("quick")
    assert pipe.read_until("INFO quick") == ["INFO quick"]
    released.set()
    thread.join()
    assert pipe.read_until("INFO slow") == ["INFO slow"]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_both_ends_of_a_huge_record_are_kept(formatter: logging.Formatter) -> None:
    message = f"first {'x' * 10_000_000} last"
    try:
        raise ValueError(f"{message} word")
    except ValueError as error:
        record = logging.LogRecord("glottis", logging.ERROR, "", 0, message, (), (ValueError, error, None))
    line = formatter.format(record)
    assert len(line) < 2 * MAX_TEXT + 500
    assert "first x" in line
    assert "characters left out" in line
    assert " last word" in line


def test_a_huge_record_is_json_all_the_same() -> None:
    record = logging.LogRecord("glottis", logging.ERROR, "", 0, "\0" * 1_000_000, (), None)
    assert json.loads(JsonFormatter().format(record))["level"] == "error"


def test_errors_that_nobody_catches_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Clumsy:
        def __del__(self) -> None:
            raise RuntimeError("in a destructor")

    def fail() -> None:
        raise RuntimeError("in a thread")

    hooks = threading.excepthook, sys.unraisablehook
    with uncaught_errors_logged():
        thread = threading.Thread(target=fail, name="plugin's")
        thread.start()
        thread.join()
        Clumsy()
    assert (threading.excepthook, sys.unraisablehook) == hooks
    said = [(record.message, str(record.exc_info and record.exc_info[1])) for record in caplog.records]
    assert said[0] == ("thread plugin's failed", "in a thread")
    assert said[1][1] == "in a destructor"
    assert "Clumsy.__del__" in said[1][0]


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    return subprocess.run(command, check=False, text=True, timeout=PATIENCE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_fork_has_a_log_of_its_own() -> None:
    script = """
import logging, os, threading
from glottis.config import Log, configure_logging, flush_logs
configure_logging(Log())
logging.info("parent")
flush_logs()
if os.fork() == 0:
    logging.info("child")
    flush_logs()
    os._exit(0)
os.wait()
"""
    result = run(script)
    assert [line.split()[-1] for line in result.stderr.splitlines()] == ["parent", "child"]


@pytest.mark.slow
def test_the_last_words_of_a_process_are_written() -> None:
    script = """
import logging
from glottis.config import Log, configure_logging
configure_logging(Log())
for number in range(500):
    logging.info("%d", number)
"""
    result = run(script)
    assert [line.split()[-1] for line in result.stderr.splitlines()] == [str(number) for number in range(500)]


@pytest.mark.slow
def test_a_process_without_standard_error_has_no_log_and_no_trouble() -> None:
    script = """
import logging, sys
from glottis.config import Log, configure_logging, flush_logs
assert sys.stderr is None
configure_logging(Log())
logging.error("unheard")
flush_logs()
"""
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, script]
    assert subprocess.run(command, check=False, timeout=PATIENCE).returncode == 0


def test_a_writer_tells_of_no_gap_where_there_is_none() -> None:
    written: list[str] = []
    writer = LogWriter(written.append, lambda count: f"{count} are missing\n")
    writer.put("one\n")
    writer.put("two\n")
    assert writer.flush()
    assert "".join(written) == "one\ntwo\n"


@pytest.mark.slow
def test_clients_of_http_do_not_tell_the_urls_that_are_asked() -> None:
    """There may be a key in them, and at the level ``info`` they tell of each; at ``debug`` of cookies, too."""
    program = """
import logging
from glottis.config import Log, configure_logging, flush_logs
configure_logging(Log(level="debug"))
logging.getLogger("httpx2").info("GET https://app.example/jwks?key=hunter2")
logging.getLogger("httpcore2.http11").debug("receive_response_headers.complete set-cookie: hunter2")
logging.getLogger("urllib3.connectionpool").debug('"POST /v1/traces?key=hunter2 HTTP/1.1" 200')
logging.getLogger("mine").debug("seen")
flush_logs()
"""
    errors = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert "seen" in errors
    assert "hunter2" not in errors


def test_processes_that_share_a_pipe_write_whole_lines() -> None:
    """More at once than a pipe takes in one piece."""
    script = """
import logging, sys
from glottis.config import Log, configure_logging
configure_logging(Log(json=True), f"worker {sys.argv[1]}")
for number in range(400):
    logging.getLogger("x").warning("%d %s", number, sys.argv[1] * 300)
print("has logged", flush=True)
logging.getLogger().handlers[0].writer.flush(30)
"""
    read, write = os.pipe()
    command = [sys.executable, "-c", script]
    writers = [subprocess.Popen([*command, name], stderr=write, stdout=subprocess.PIPE) for name in "ab"]
    os.close(write)
    for writer in writers:  # most of it waits until here
        assert writer.stdout is not None
        with writer.stdout:
            assert writer.stdout.readline() == b"has logged\n"
    with os.fdopen(read) as lines:
        records = [json.loads(line) for line in lines]
    assert all(writer.wait() == 0 for writer in writers)
    assert sorted({(record["worker"], record["message"][-300:]) for record in records}) == [
        (f"worker {name}", name * 300) for name in "ab"
    ]
    assert len(records) == 800


def test_who_writes_is_named_where_several_processes_do() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "hello", (), None)
    assert TextFormatter("worker 3").format(record).endswith("INFO    worker 3, x: hello")
    assert TextFormatter().format(record).endswith("INFO    x: hello")
    assert "worker" not in json.loads(JsonFormatter().format(record))
