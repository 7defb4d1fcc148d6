"""A certificate authority that lasts as long as the tests, and one certificate from it."""

import atexit
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import ToolMissing

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = ("-days", "2")
# Python 3.13 verifies strictly: an authority has to say what its key is for, and a certificate
# which key has signed it.
_AUTHORITY = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
_EXTENSIONS = """\
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files that a TLS server, and who connects to it, need.

    Attributes:
        ca: the authority's certificate.
        certificate: the certificate for 127.0.0.1 and localhost; it serves clients too.
        key: its private key.
    """

    ca: Path
    certificate: Path
    key: Path


@cache
def certificates() -> Certificates:
    """The certificates of this process: made when they are first asked for, gone at its end.

    Raises:
        ToolMissing: there is no `openssl` to make them with.
    """
    if not shutil.which("openssl"):
        raise ToolMissing(
            "expected the command `openssl`, to make certificates with, found none on the PATH. "
            "Install OpenSSL."
        )
    directory = Path(tempfile.mkdtemp(prefix="docket-certificates-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    _make_in(directory)
    return Certificates(*(directory / name for name in ("ca.crt", "server.crt", "server.key")))


def _make_in(directory: Path) -> None:
    (directory / "extensions").write_text(_EXTENSIONS)
    authority = ("-subj", "/CN=authority of the tests", "-keyout", "ca.key", "-out", "ca.crt")
    request = ("-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "1", "-extfile", "extensions")
    for arguments in (
        ("req", "-x509", *_NEW_KEY, *_DAYS, *_AUTHORITY, *authority),
        ("req", *_NEW_KEY, *request),
        ("x509", "-req", *_DAYS, "-in", "server.csr", *signing, "-out", "server.crt"),
    ):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
