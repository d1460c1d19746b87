"""What ``make profile`` makes of the stacks that a sampler has seen."""

from benchmarks.flame import render, tree
from benchmarks.rooms import IDLE, parse_stacks, room_of_stack, shares

SITE = "/home/glottis/.venv/lib/python3.11/site-packages"
HOUSE = "/home/glottis/core/glottis"
RUN = f"Runner.run ({SITE}/trio/_core/_run.py)"
STACKS = f"""\
thread (1): MainThread;main ({HOUSE}/cli/__init__.py);{RUN};get_events ({SITE}/trio/_core/_io_epoll.py) 50
thread (1): MainThread;main ({HOUSE}/cli/__init__.py);{RUN} 10
thread (1): MainThread;{RUN};receive ({HOUSE}/media/driver.py:12);unprotect ({SITE}/pylibsrtp/__init__.py:3) 10
thread (1): MainThread;{RUN};OpusEncoder.encode (/home/glottis/codecs/opus/glottis_opus/encoder.py) 25
thread (1): MainThread;{RUN};<genexpr> ({HOUSE}/server/sessions/session.py);dumps (/usr/lib/python3/json/__init__.py) 5
thread (2): log;write ({HOUSE}/config/log_writer.py) 100
"""


def test_time_is_that_of_the_innermost_room_on_the_main_threads_stack() -> None:
    assert shares(parse_stacks(STACKS)) == {
        "codec": 0.25,
        "trio": 0.10,
        "media": 0.10,
        "server/sessions": 0.05,
        IDLE: 0.50,
    }


def test_stack_in_no_room_is_elsewhere() -> None:
    (stack,) = parse_stacks("thread (1): MainThread;main (/usr/lib/python3.11/runpy.py:1) 1")
    assert room_of_stack(stack) == "elsewhere"


def test_flame_graph_is_as_wide_as_the_time() -> None:
    stacks = parse_stacks(STACKS)
    picture = render("a <title>", tree(stacks), shares(stacks))
    assert "a &lt;title&gt;" in picture
    assert "<title>OpusEncoder.encode (codec): 25.00%</title>" in picture
    assert "<title>Runner.run (trio): 40.00%</title>" in picture
    assert "<title>idle (idle): 50.00%</title>" in picture
