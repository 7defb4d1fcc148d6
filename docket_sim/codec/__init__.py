"""Arguments, results and failures to bytes and back.

Two codecs: `json`, typed by the task's signature, which is the default; and `pickle`, which has to
be asked for by name, because whoever can write to the store can then run code in the worker.
"""

from docket_sim.codec.base import Codec, TaskCodec, TaskTypes
from docket_sim.codec.pickled import PickleCodec
from docket_sim.codec.typed_json import JsonCodec

__all__ = ["Codec", "JsonCodec", "PickleCodec", "TaskCodec", "TaskTypes", "codec_for"]


def codec_for(codec: str | Codec) -> Codec:
    """The codec called `codec`, or `codec` itself when it is one already.

    Raises:
        ValueError: there is no codec of that name.
    """
    if not isinstance(codec, str):
        return codec
    match codec:
        case "json":
            return JsonCodec()
        case "pickle":
            return PickleCodec()
        case _:
            raise ValueError(
                f"expected codec 'json' or 'pickle', or an object with the Codec protocol; "
                f"found {codec!r}"
            )
