"""URLs as they may be shown, and texts without the passwords that URLs carry."""

from urllib.parse import parse_qsl, unquote

_MASK = "***"
_TELLING = 4  # a shorter password would be found in the midst of innocent words


def masked(url: str) -> str:
    """`url` without its password and its query, which may hold another."""
    scheme, separator, rest = url.partition("://")
    # The last @ of all: a password that was not quoted may hold any character.
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}:{_MASK}@" if colon else f"{_MASK}@" if at else ""
    return f"{scheme}{separator}{shown}{place.partition('?')[0]}"


class Secrets:
    """The passwords of one URL, kept out of everything that is shown."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: where a docket lives.
        """
        user, _, place = url.partition("://")[2].rpartition("@")
        password = user.partition(":")[2] if ":" in user else user
        query = parse_qsl(place.partition("?")[2])
        found = [password, *(value for name, value in query if "password" in name)]
        self._around = [f":{one}@" for one in found if one]
        spellings = {spelling for one in found for spelling in (one, unquote(one))}
        bare = [one for one in spellings if len(one) >= _TELLING]
        self._bare = sorted(bare, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """`text` with every password masked; one of under four characters only within a URL."""
        for one in self._around:
            text = text.replace(one, f":{_MASK}@")
        for one in self._bare:
            text = text.replace(one, _MASK)
        return text
