"""The application of the guide's reader: a database, a cache and services, which note their use."""

from types import SimpleNamespace
from typing import Any


class Application:
    """Where what the guide's code uses comes from.

    Attributes:
        log: what was opened, used and closed.
        connections: each connection to the database.
        profiles: what was updated, and through which connections.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.connections: list[Connection] = []
        self.profiles: list[tuple[Any, ...]] = []

    async def connect(self) -> "Connection":
        self.log.append("db connected")
        self.connections.append(Connection(self))
        return self.connections[-1]

    def redis(self, **where: Any) -> "Cache":
        self.log.append("cache opened")
        return Cache(self)


class Connection:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def fetch_user(self, user_id: int) -> SimpleNamespace:
        if user_id < 0:
            raise LookupError(f"no user {user_id}")
        return SimpleNamespace(to_json=lambda: f"user {user_id} as JSON")

    async def close(self) -> None:
        self.application.log.append("db closed")


class Cache:
    def __init__(self, application: Application) -> None:
        self.application = application

    async def set(self, key: str, value: str) -> None:
        self.application.log.append(f"{key} = {value}")

    def close(self) -> None:
        self.application.log.append("cache closed")


class AuthService:
    def __init__(self, db: Connection) -> None:
        self.db = db


class UserService:
    def __init__(self, db: Connection, auth: AuthService) -> None:
        self.db = db
        self.auth = auth

    async def update_profile(self, user_id: int, profile_data: dict[str, str]) -> None:
        self.db.application.profiles.append((self.db, self.auth.db, user_id, profile_data))
