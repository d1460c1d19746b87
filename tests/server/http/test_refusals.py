import logging

import pytest
from glottis.server.http.message import Request, Response
from glottis.server.http.problem import Problem
from glottis.server.http.refusals import LINES, LINES_PER_CLIENT, MAX_CODES, OTHER, RefusalLog, Refusals

REFUSED = Problem(404, "NOT_FOUND", "Use another.").response()


def request_from(client_host: str, path: str = "/x") -> Request:
    return Request("GET", path, {"token": "secret"}, client_host=client_host)


@pytest.fixture(autouse=True)
def log_refusals(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_flood_of_one_client_is_cut_counted_and_does_not_hide_others(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for _ in range(1000):
        log.note(request_from("192.0.2.1"), REFUSED, "192.0.2.1", 5.0)
    assert len(caplog.messages) == LINES_PER_CLIENT
    log.note(request_from("192.0.2.2"), REFUSED, "192.0.2.2", 5.0)
    assert caplog.messages[-1] == "404 NOT_FOUND: GET /x from 192.0.2.2 (990 more were left out)"
    log.note(request_from("192.0.2.1"), REFUSED, "192.0.2.1", 65.0)
    assert caplog.messages[-1] == "404 NOT_FOUND: GET /x from 192.0.2.1"


def test_flood_of_many_clients_is_cut_too(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for number in range(1000):
        host = f"192.0.{number // 200}.{number % 200}"
        log.note(request_from(host), REFUSED, host, 5.0)
    assert len(caplog.messages) == LINES


def test_line_is_short_whatever_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog().note(request_from("192.0.2.1", "/" + "x" * 8000), REFUSED, "", 0.0)
    assert len(caplog.messages[0]) < 200


def test_answers_are_no_refusals_and_errors_of_ours_are_logged_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    log.note(request_from("192.0.2.1"), Problem(500, "INTERNAL_ERROR", "It failed.").response(), "", 0.0)
    log.note(request_from("192.0.2.1"), Response(304), "", 0.0)
    assert not caplog.messages
    assert log.refusals == {"INTERNAL_ERROR": 1}


def test_all_are_counted_by_few_codes_also_those_that_the_log_leaves_out() -> None:
    log = RefusalLog(refusals := Refusals())
    for _ in range(1000):
        log.note(None, REFUSED, "192.0.2.1", 5.0)
    log.note(request_from("192.0.2.1"), Response(404), "", 5.0)
    log.note(request_from("192.0.2.1"), Response(200, code="FULL"), "", 5.0)
    assert refusals == {"NOT_FOUND": 1000, "HTTP_404": 1, "FULL": 1}
    for number in range(2 * MAX_CODES):
        refusals.note(f"CODE_{number}")
    assert len(refusals) == MAX_CODES + 1
    assert refusals[OTHER] == MAX_CODES + 3
