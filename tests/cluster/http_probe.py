"""Asks a URL how it is."""

from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def http_status(url: str, seconds: float = 5) -> int:
    """The status of a GET, or 0 when nobody answers."""
    try:
        with urlopen(url, timeout=seconds) as reply:
            return int(reply.status)
    except HTTPError as error:
        with error:
            return error.code
    except (URLError, ConnectionError, TimeoutError):
        return 0
