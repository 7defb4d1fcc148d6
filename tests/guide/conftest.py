"""The guide's code as a module, and the application that it leaves to its reader."""

import logging
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest
from guide_application import Application, AuthService, UserService
from guide_document import MODULE_NAME, load


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """All of the guide's code, run from top to bottom, with what it prints in `guide.printed`.

    It is a module like those of an application: one that had imported `datetime` before time froze.
    """
    printed: list[str] = []
    module = load(
        {
            "LoggerAdapter": logging.LoggerAdapter,
            "logging": logging,
            "os": os,
            "print": printed.append,
            "printed": printed,
        }
    )
    monkeypatch.setitem(sys.modules, MODULE_NAME, module)
    return module


@pytest.fixture
def application(guide) -> Application:
    """The application, made known to the guide's code."""
    application = Application()
    guide.database = application
    guide.redis = SimpleNamespace(Redis=application.redis)
    guide.AuthService = AuthService
    guide.UserService = UserService
    return application
