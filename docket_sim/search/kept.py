"""The file in which the choices of a failing run are kept, to be replayed and committed."""

import json
from pathlib import Path

from docket_sim.search.trial import Trial


def keep_failure(path: Path, trial: Trial, token: str, name: str) -> None:
    """Write down the choices of a failing run, for people and for the next search."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "replay": token,
        "scenario": name,
        "error": f"{type(trial.error).__name__}: {trial.error}".partition("\n")[0],
        "choices": [
            {"label": one.label, "number": one.number, "value": one.value}
            for one in trial.choices.tape
            if one.value
        ],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def kept_token(path: Path) -> str:
    """The token in a file that `keep_failure` has written.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        token = json.loads(path.read_text())["replay"]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path} holds no failing run: {error}") from None
    return str(token)
