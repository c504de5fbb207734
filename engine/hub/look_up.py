"""Asking the hub what it has of a model: one request, when somebody asks."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import httpx2
from huggingface_hub import ModelInfo, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import get_session, hf_raise_for_status, validate_repo_id

from engine.core.errors import UserError
from engine.hub.faults import broken, gave_up, looking_up, wait_asked_for
from engine.hub.patience import PATIENT, Patience, Waiting
from engine.hub.repository import HubFile, Repository

_DIGEST: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def look_up(id: str, revision: str = "", patience: Patience = PATIENT) -> Repository:
    """Ask the hub for a model, at a revision (a commit, branch or tag; empty: the newest). Endpoint, token and proxy
    are those that huggingface_hub finds in the environment. Raises :class:`UserError`."""
    waiting = Waiting(patience)
    while True:
        wait: float | None = None
        try:
            return _repository(id, _ask(id, revision, patience.silence))
        except (HfHubHTTPError, httpx2.TransportError, OfflineModeIsEnabled, HFValidationError) as error:
            fault = looking_up(id, revision, error)
            if fault is not None:
                raise fault from error
            if isinstance(error, HfHubHTTPError):
                wait = wait_asked_for(error.response.headers)
                fault = gave_up(id, error.response.status_code, wait, kept=False)
            else:
                fault = broken(id, error, kept=False)
            if not waiting.again(wait):
                raise fault from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # an answer of another form
            raise _no_hub(id) from error


def request_headers() -> dict[str, str]:
    """What goes with each request: who asks, and the token that huggingface_hub finds. Its own headers would say more
    of this computer, and fetch a list of programs from the hub first to say it."""
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return {"User-Agent": "partcraft-desktop"} | ({"Authorization": f"Bearer {token}"} if token else {})


def _ask(id: str, revision: str, timeout: float) -> ModelInfo:
    validate_repo_id(id)
    address = f"{constants.ENDPOINT}/api/models/{id}"
    if revision:
        address += f"/revision/{quote(revision, safe='')}"
    answer = get_session().get(address, params={"blobs": True}, headers=request_headers(), timeout=timeout)
    hf_raise_for_status(answer)
    return ModelInfo(**answer.json())


def _repository(id: str, info: Any) -> Repository:
    files = []
    for sibling in info.siblings or ():
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        size = sibling.lfs.size if sibling.lfs else sibling.size
        if not isinstance(size, int) or size < 0 or not _DIGEST.fullmatch(str(digest)):
            raise _no_hub(id)
        if _is_below(sibling.rfilename):
            files.append(HubFile(sibling.rfilename, size, digest))
    if not re.fullmatch(r"[0-9a-f]{40}", str(info.sha)):
        raise _no_hub(id)
    described = (info.config or {}).get("diffusers") or {}
    card = info.card_data.to_dict() if info.card_data else {}
    names = card.get("license_name") if card.get("license") == "other" else card.get("license")
    license = ", ".join(map(str, names)) if isinstance(names, list) else str(names or "")
    return Repository(id, info.sha, tuple(files), license, bool(info.gated), str(described.get("_class_name") or ""))


def _is_below(path: str) -> bool:
    """Whether a path stays in the folder that it is joined to, on every system."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not set(path) & set("\\:\0")


def _no_hub(id: str) -> UserError:
    return UserError(
        f"What answered is no hub, or says nothing that can be used of {id}.",
        "Check HF_ENDPOINT and the connection (a sign-in page of a network?), then try again.",
    )
