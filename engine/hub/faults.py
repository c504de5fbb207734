"""What can go wrong between this computer and the hub, each as one sentence and a next step."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

from engine.core.byte_sizes import byte_size
from engine.core.durations import duration
from engine.core.errors import UserError
from engine.hub.repository import TokenWanted

PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a moment later."""
_KEPT: Final = "What was fetched is kept; fetch it again to go on from there."
_RESET: Final = re.compile(r"\bt\s*=\s*(\d+)")


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait: its ``Retry-After``, a number or a date, else the end of the hub's own
    ``ratelimit``; None if it does not say."""
    asked = headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
        except ValueError:
            return None
    reset = _RESET.search(headers.get("ratelimit", ""))
    return float(reset[1]) if reset else None


def refused(id: str, revision: str, status: int, headers: Mapping[str, str]) -> UserError:
    """An answer that stays as it is, whenever one asks."""
    code = headers.get("x-error-code", "")
    page = f"{constants.ENDPOINT}/{id}"
    if code == "RevisionNotFound":
        return UserError(
            f"{id} has no revision {revision} (any more).", "Leave the revision out, or take one that its page lists."
        )
    if code == "GatedRepo" or status == 403:
        return TokenWanted(
            f"{id} is only given to those who accept its licence.",
            f"Accept it at {page}, then give this computer a token of that account: hf auth login, or HF_TOKEN.",
        )
    if status == 401:
        return TokenWanted(
            f"The hub knows no {id}, or does not show it without a token.",
            f"Check the name at {page}; for a private model run hf auth login, or set HF_TOKEN.",
        )
    if status == 416:
        return UserError(f"The hub has less of {id} than it announces.", "Try again later.")
    if code == "EntryNotFound":
        return UserError(f"A file of {id} is gone from the hub.", "Fetch the model again: its list of files is new.")
    if status in (404, 410):
        return UserError(f"The hub knows no {id}.", f"Check the name at {page}.")
    return UserError(f"The hub did not give {id}: it answered {status}.", "Try again later.")


def gave_up(id: str, status: int, wait: float | None, kept: bool) -> UserError:
    """The hub answered that it could not now, too often. ``kept``: some of the model is here."""
    if status == 429:
        later = f"in {duration(wait)}" if wait else "later"
        return UserError(f"The hub wants fewer requests from this computer and did not give {id}.",
                         f"Fetch it again {later}{': what was fetched is kept' if kept else ''}.")  # fmt: skip
    hint = _KEPT if kept else "Fetch it again later."
    return UserError(f"The hub has trouble of its own (it answered {status}) and did not give {id}.", hint)


def broken(id: str, error: Exception, kept: bool) -> UserError:
    """The line was cut, or never came about. ``kept``: some of the model is here."""
    more = _KEPT if kept else "Then fetch it again."
    host = urlsplit(constants.ENDPOINT).hostname or constants.ENDPOINT
    if isinstance(error, httpx2.ProxyError):
        return UserError(f"The proxy would not pass the request for {id} on.", "Check HTTPS_PROXY and try again.")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return UserError(f"{host} could not be reached, so {id} was not fetched.", f"Check the connection. {more}")
    return UserError(f"The connection broke while {id} was fetched.", f"Check it. {more}")


def looking_up(id: str, revision: str, error: Exception) -> UserError | None:
    """Why a model's list of files could not be had, if that will not change by itself; None for what may pass."""
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(
            f"{id} is not fetched: this computer is told to stay offline (HF_HUB_OFFLINE).",
            "Take HF_HUB_OFFLINE out of the environment, start again and fetch it.",
        )
    if isinstance(error, HFValidationError):
        return UserError(f"“{id[:80]}” is no name of a model on the hub.", "It is written OWNER/NAME.")
    response = getattr(error, "response", None)
    if response is None or response.status_code in PASSING:
        return None
    headers = dict(response.headers)
    if isinstance(error, GatedRepoError):
        headers["x-error-code"] = "GatedRepo"
    elif isinstance(error, RepositoryNotFoundError) and response.status_code != 401:
        return refused(id, revision, 404, {})
    return refused(id, revision, response.status_code, headers)


def no_room(id: str, needed: int, free: int, folder: Path) -> UserError:
    """The disk is too small for what is to come."""
    return UserError(
        f"{id} needs {byte_size(needed)} more of disk, and {byte_size(free)} are free.",
        f"Make room on the disk of {folder}.",
    )
