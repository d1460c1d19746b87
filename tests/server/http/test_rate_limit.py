import pytest
from glottis.server.http.rate_limit import RateLimiter
from glottis.wire.token_bucket import TokenBucket


def test_burst_then_steady_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(0) == pytest.approx(0.5)
    assert bucket.take(0.25) == pytest.approx(0.25)
    assert bucket.take(0.5) == 0
    assert bucket.take(0.5) > 0


def test_who_borrows_tokens_is_told_to_wait_for_them_one_after_the_other() -> None:
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.borrow(0) for _ in range(5)] == [0, 0, 0, 0.5, 1]
    assert bucket.borrow(1) == 0.5
    assert [bucket.borrow(100) for _ in range(4)] == [0, 0, 0, 0.5]


def test_rest_does_not_save_up_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=1, burst=2, now=0)
    assert [bucket.take(1000) > 0 for _ in range(3)] == [False, False, True]


def test_clients_do_not_disturb_each_other() -> None:
    limiter = RateLimiter(per_minute=60, burst=1)
    assert limiter.take("192.0.2.1", 0) == 0
    assert limiter.take("192.0.2.1", 0) == pytest.approx(1)
    assert limiter.take("192.0.2.2", 0) == 0


def test_ipv6_network_is_one_client() -> None:
    limiter = RateLimiter(per_minute=60, burst=1)
    assert limiter.take("2001:db8::1", 0) == 0
    assert limiter.take("2001:db8::ffff:1", 0) > 0
    assert limiter.take("2001:db8:0:1::1", 0) == 0


def test_remembered_clients_are_bounded_and_the_oldest_is_forgotten() -> None:
    limiter = RateLimiter(per_minute=1, burst=1, max_clients=2)
    for host in ("a", "b", "a", "c"):
        limiter.take(host, 0)
    assert limiter.take("a", 0) > 0
    assert limiter.take("b", 0) == 0
