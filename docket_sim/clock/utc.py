"""Instants as the engine keeps them: plain aware datetimes in UTC."""

from datetime import UTC, datetime


def as_utc(when: datetime, what: str = "when") -> datetime:
    """The same instant as a plain datetime in UTC.

    A subclass (freezegun's, pendulum's) becomes a plain datetime, so that what the engine keeps
    does not depend on what a test has patched.

    Raises:
        ValueError: `when` is naive; the message says how to make it aware.
        TypeError: it is no datetime.
    """
    if not isinstance(when, datetime):
        raise TypeError(
            f"{what} must be a timezone-aware datetime, found {when!r}; "
            f"for a delay, add it to datetime.now(timezone.utc)"
        )
    if when.tzinfo is UTC and type(when) is datetime:
        return when
    if when.tzinfo is None or when.utcoffset() is None:
        raise ValueError(
            f"{what} must be timezone-aware, found the naive {when.isoformat(sep=' ')}. "
            f"Use datetime.now(timezone.utc), or {what}.replace(tzinfo=...) with its zone."
        )
    moved = when.astimezone(UTC)
    return datetime(
        moved.year,
        moved.month,
        moved.day,
        moved.hour,
        moved.minute,
        moved.second,
        moved.microsecond,
        tzinfo=UTC,
    )
