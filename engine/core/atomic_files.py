"""Files written whole or not at all, and JSON read without trust."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.json_values import read_document

_LARGEST_TEXT: Final = 256 << 20


def write_whole(path: Path, write: Callable[[Path], None], what: str = "the file") -> None:
    """Write a file beside ``path``, sync it, and put it in place in one step.

    ``write`` is given the path to write to (same folder, same suffix). If it fails, ``path`` keeps what it had
    and nothing is left beside it. Raises :class:`UserError` for a full disk, a folder that is gone or read-only, a
    name that no file can have, a file that another program keeps open, and where there is something that is no file:
    a folder, a pipe, a device.
    """
    _check_name(path, what)
    _check_place(path, what)
    beside = path.with_name(f".{secrets.token_hex(6)}-part{path.suffix}")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        _put_in_place(beside, path, what)
    except Exception as error:
        reason = _system_error(error)
        if reason is None:
            raise
        raise _explain(reason, path, what) from error
    finally:
        with contextlib.suppress(OSError):  # gone after replace; not there if it could not be made
            beside.unlink()


def write_bytes(path: Path, data: bytes, what: str = "the file") -> None:
    """:func:`write_whole` for bytes at hand."""
    write_whole(path, lambda beside: _write(beside, data), what)


def make_folder(path: Path, what: str = "the folder") -> Path:
    """Make a folder with its parents if it is not there. Raises :class:`UserError` if it cannot be made."""
    _check_name(path, what)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, path, what) from error
    return path


def system_fault(error: Exception, path: Path, what: str) -> UserError:
    """The words for a file or folder that the system would not have written."""
    return _explain(_system_error(error) or OSError(None, type(error).__name__), path, what)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _check_name(path: Path, what: str) -> None:
    try:
        with contextlib.suppress(OSError):  # not there yet, or out of reach: writing says which
            path.lstat()
    except ValueError as error:  # a NUL, or half a surrogate pair
        raise UserError(
            f"{_capital(what)} could not be saved: the name holds a character that no file's name can.",
            "Choose another name.",
        ) from error


def _check_place(path: Path, what: str) -> None:
    """See that nothing but a file, or a link, would be replaced."""
    try:
        mode = path.lstat().st_mode
    except OSError:  # not there yet, or out of reach: writing says which
        mode = stat.S_IFREG
    if not path.name or stat.S_ISDIR(mode):
        raise UserError(f"{_capital(what)} could not be saved: “{path}” is a folder.", "Choose another name.")
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UserError(
            f"{_capital(what)} could not be saved: “{path.name}” is a pipe or a device, not a file.",
            "Choose another name.",
        )


def _put_in_place(beside: Path, path: Path, what: str) -> None:
    try:
        beside.replace(path)
    except PermissionError as error:  # the folder takes files, as the one beside shows: it is this file that resists
        raise UserError(
            f"{_capital(what)} could not be saved: “{path.name}” cannot be replaced.",
            "If another program has it open, close it there; or choose another name.",
        ) from error


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]


def _system_error(error: Exception) -> OSError | None:
    """What the system refused, also when a library written in Rust (safetensors) tells it in words of its own."""
    if isinstance(error, OSError):
        return error
    match = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(match[1]), os.strerror(int(match[1]))) if match else None


def _explain(error: OSError, path: Path, what: str) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"The disk is full, so {what} could not be saved.", f"Make room on the disk of {path.parent}.")
    if error.errno == errno.EROFS or isinstance(error, PermissionError):
        return UserError(
            f"{_capital(what)} could not be saved: {path.parent} cannot be written to.",
            "Choose another folder, or allow writing there.",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UserError(
            f"{_capital(what)} could not be saved: the folder {path.parent} is not there.",
            "Choose another folder, or bring it back (is a drive unplugged?).",
        )
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        return UserError(
            f"{_capital(what)} could not be saved: the disk takes no such name.", "Choose a shorter, plainer name."
        )
    if error.errno == errno.EFBIG:
        return UserError(
            f"{_capital(what)} could not be saved: the disk of {path.parent} takes no file so large.",
            "Choose a folder on another disk.",
        )
    reason = error.strerror or type(error).__name__
    return UserError(f"{_capital(what)} could not be saved in {path.parent}: {reason}.", "Choose another folder.")


def read_text(path: Path) -> str:
    """The text of a file that somebody else may have put there. Raises ``OSError`` for one that is not plain (a pipe,
    a device, or a link to one: reading might never end) or larger than 256 MB, ``ValueError`` for one not in UTF-8."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    if status.st_size > _LARGEST_TEXT:
        raise OSError(errno.EFBIG, "it is too large", str(path))
    return path.read_text("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that another process may be replacing; empty if it is not there or not whole."""
    for attempt in range(3):
        try:
            document = read_document(read_text(path))
            return document if isinstance(document, dict) else {}
        except FileNotFoundError:
            return {}
        except PermissionError:  # on Windows, while it is being replaced
            time.sleep(0.01 * (attempt + 1))
        except (OSError, ValueError):
            return {}
    return {}
