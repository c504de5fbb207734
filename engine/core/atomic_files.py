"""Files written whole or not at all, and JSON read without trust."""

from __future__ import annotations

import codecs
import contextlib
import errno
import logging
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
from engine.core.paths import data_dir, make_home

_log = logging.getLogger(__name__)

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


def write_cached(path: Path, data: bytes, what: str) -> None:
    """:func:`write_bytes`, its folder made if need be, for what can be computed again: where the disk does not take it
    (it is full or read-only), the log says so and nothing is raised."""
    try:
        make_folder(path.parent, what)
        write_bytes(path, data, what)
    except UserError as error:
        _log.warning("%s goes on without the cache: %s", path.name, error.message)


def make_folder(path: Path, what: str = "the folder") -> Path:
    """Make a folder with its parents if it is not there. Raises :class:`UserError` if it cannot be made."""
    _check_name(path, what)
    try:
        if not path.is_dir() and _is_at_home(path):
            make_home()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, path, what) from error
    return path


def _is_at_home(path: Path) -> bool:
    try:
        return path.absolute().is_relative_to(data_dir())
    except UserError:  # there is no home
        return False


def system_fault(error: Exception, path: Path, what: str) -> UserError:
    """The words for a file or folder that the system would not have written."""
    return _explain(_system_error(error) or OSError(None, "it was refused without a reason"), path, what)


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
    if isinstance(error, FileExistsError):  # only folders are made where nothing may be
        message = f"{_capital(what)} could not be saved: “{path}” is a file, not a folder."
        return UserError(message, "Choose another name.")
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
    reason = error.strerror or "it was refused without a reason"
    return UserError(f"{_capital(what)} could not be saved in {path.parent}: {reason}.", "Choose another folder.")


def plain_file(path: Path) -> Path:
    """The path, if there is a file that somebody else may have put there. Raises ``OSError`` if not, and for one that
    is not plain: a folder, a pipe, a device, or a link to one, which a reader might wait for forever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return path


def read_text(path: Path) -> str:
    """The text of a file that somebody else may have put there. Raises as :func:`plain_file`, ``OSError`` for one
    larger than 256 MB, ``ValueError`` for one that is neither in UTF-8 nor begins with the mark of UTF-16, as some
    editors and tables write."""
    if plain_file(path).stat().st_size > _LARGEST_TEXT:
        raise OSError(errno.EFBIG, "it is too large", str(path))
    data = path.read_bytes()
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if marked else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


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
