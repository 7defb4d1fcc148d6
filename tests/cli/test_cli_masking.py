"""Passwords stay where they belong."""

import pytest

from docket_sim.cli.masking import Secrets, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:hunter2@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("redis://ann:hunter2@localhost/0", "redis://ann:***@localhost/0"),
        ("redis://hunter2@localhost/0", "redis://***@localhost/0"),
        ("redis://:hun/t@er?2@localhost/0", "redis://:***@localhost/0"),
        ("redis://localhost/0?password=hunter2", "redis://localhost/0"),
        (
            "redis+sentinel://:hunter2@one:1,two:2/service/0?sentinel_password=other",
            "redis+sentinel://:***@one:1,two:2/service/0",
        ),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    """Neither a password that was left unquoted nor one in the query gets through."""
    assert masked(url) == shown


def test_a_password_is_scrubbed_wherever_it_stands():
    """As it was given and as it is meant: libraries show either."""
    secrets = Secrets("redis://ann:hunt%40er2@localhost?sentinel_password=0ther")
    text = "kwargs: password='hunt@er2', dialled //ann:hunt%40er2@localhost, then 0ther"
    assert secrets.scrub(text) == "kwargs: password='***', dialled //ann:***@localhost, then ***"


def test_a_password_of_few_letters_is_scrubbed_within_urls_only():
    """Found in the midst of words, it would tell more than it hides, and ruin every line."""
    secrets = Secrets("redis://:ok@localhost")
    assert secrets.scrub("looks ok: redis://:ok@localhost") == "looks ok: redis://:***@localhost"


def test_a_url_without_a_password_has_nothing_to_scrub():
    """Log lines are left as they are."""
    assert Secrets("redis://localhost:6379/0").scrub("redis :@ localhost") == "redis :@ localhost"
