"""Which Ray cluster to use, and whether anything answers there before Ray waits for it.

Ray itself waits for minutes on a wrong address and then ends the process.
"""

import os
import re
import socket

from graphs.errors import ResourceError

ANSWER_SECONDS = 5.0
VARIABLE = "RAY_ADDRESS"
LOCAL = "local"
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^\s:/]+):(?P<port>\d{1,5})")
# what an HTTP/2 client sends first: the preface and an empty SETTINGS frame (RFC 9113, section 3.4)
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER, _KIND, _SETTINGS = 9, 3, 4


def cluster_address(given: str | None) -> str:
    """Return the address of the cluster: the one given, else RAY_ADDRESS, else a Ray of its own.

    Parameters
    ----------
    given : str, optional
        What --ray-address says: ``host:port``, ``auto`` (a Ray that runs on this machine), or
        ``local`` (a Ray that is started for this command and ends with it).

    Raises
    ------
    ResourceError
        When it is no address, or nothing that could be Ray answers there within five seconds.

    Examples
    --------
    >>> cluster_address("local")
    'local'
    """
    address = (given or os.environ.get(VARIABLE, "")).strip() or LOCAL
    if address in (LOCAL, "auto"):
        return address
    name = f"--ray-address {address}" if given else f"{VARIABLE}={address}"
    match = _HOST_PORT.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 1 << 16:
        raise ResourceError(
            f"{name} is no address of a Ray cluster",
            "write HOST:PORT as `ray start --head` shows it (6379 by default), auto, or local",
        )
    _require_answer(name, match["host"].strip("[]"), int(match["port"]))
    return address


def _require_answer(name: str, host: str, port: int) -> None:
    """Check that something speaks HTTP/2, as the head of a Ray cluster does."""
    remedy = (
        "check the address, and that `ray start --head` runs there; --ray-address local needs none"
    )
    try:
        with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return  # what it speaks shows only behind the encryption
            connection.sendall(_HELLO)
            answer = b""
            while len(answer) < _FRAME_HEADER and (more := connection.recv(_FRAME_HEADER)):
                answer += more
    except OSError as error:
        reason = error.strerror or str(error)
        raise ResourceError(f"{name}: nothing answers there ({reason})", remedy) from error
    if len(answer) < _FRAME_HEADER or answer[_KIND] != _SETTINGS:
        raise ResourceError(f"{name}: what answers there is no Ray cluster", remedy)
