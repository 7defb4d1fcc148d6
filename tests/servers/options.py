"""What a private server can be asked for, and the configuration file that this makes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from .certificates import Certificates, certificates
from .waiting import HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked of a server.

    Attributes:
        appendonly: every write is on the disk before it is answered, so it survives `kill()`.
        unixsocket: listen on a Unix socket as well.
        tls: speak TLS on the port, with a certificate of the tests' own authority.
        password: the default user's.
        users: the rules of other users by their names, such as `{"ann": "on >secret ~* &* +@all"}`.
        config: further lines of the configuration file; they win over those that are made here.
            `loglevel` has to stay: a server counts as started when its log says so.
        cpu: the number of the one CPU that the server may use.
        sentinel: be a sentinel; of the rest, only `config` and `cpu` apply.
    """

    appendonly: bool = False
    unixsocket: bool = False
    tls: bool = False
    password: str | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    config: Sequence[str] = ()
    cpu: int | None = None
    sentinel: bool = False

    @property
    def secured_by(self) -> Certificates | None:
        """The certificates, if TLS is asked for."""
        return certificates() if self.tls else None

    def login(self, user: str = "", password: str | None = None) -> str:
        """The part of a URL that logs in: as the default user, if nothing else is given."""
        secret = self.password if password is None else password
        return "" if secret is None else f"{quote(user, safe='')}:{quote(secret, safe='')}@"

    def lines(self, directory: Path, port: int) -> Iterator[str]:
        """The configuration file, line by line.

        Args:
            directory: where the server keeps everything.
            port: where it listens.
        """
        yield f"bind {HOST}"
        yield f'dir "{directory}"'
        if self.sentinel:
            yield f"port {port}"
        else:
            yield from self._listening(directory, port)
            yield from self._keeping()
            yield from self._admitting()
        yield from self.config

    def _listening(self, directory: Path, port: int) -> Iterator[str]:
        yield f"port {0 if self.tls else port}"
        if self.unixsocket:
            yield f'unixsocket "{directory / "redis.sock"}"'
        if self.tls:
            made = certificates()
            yield f"tls-port {port}"
            yield f'tls-ca-cert-file "{made.ca}"'
            yield f'tls-cert-file "{made.certificate}"'
            yield f'tls-key-file "{made.key}"'
            yield "tls-auth-clients optional"

    def _keeping(self) -> Iterator[str]:
        yield 'save ""'
        if self.appendonly:
            yield "appendonly yes"
            yield "appendfsync always"

    def _admitting(self) -> Iterator[str]:
        if self.password is not None:
            yield f'requirepass "{self.password}"'
        for name, rules in self.users.items():
            yield f"user {name} {rules}"
