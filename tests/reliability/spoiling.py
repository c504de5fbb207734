"""Valid files made bad: bytes, text, JSON, PNG headers, safetensors and archives, by a random number's will."""

from __future__ import annotations

import codecs
import json
import struct
import zipfile
import zlib
from pathlib import Path
from random import Random
from typing import Any

from tests.absurd import DEEP, VALUES, places, spoilt

_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x01\0\0\0")
_TEXTS = (
    "\ufeff", "\0", "\ud83d", "\u202e", "é" * 300, "9" * 400, "nan", "-1", '"', "{", "<", ">", "<0:", "*1e999>", "\\",
    ",", ";", "\r", "../", "/", "~", "~nobody/", "%s", "\u2028", "1e400", "１２", "sep=", "🦜\u200d",
)  # fmt: skip


def spoil_bytes(data: bytes, of: Random) -> bytes:
    """One to four wounds: bits, cuts, holes, insertions, numbers, pieces twice."""
    spoilt = bytearray(data)
    for _ in range(of.choice((1, 1, 2, 4))):
        at = of.randrange(len(spoilt) + 1)
        if of.random() < 0.3:
            at = min(at, of.randrange(64))  # headers decide more than their share of the bytes
        end = min(len(spoilt), at + of.choice((1, 4, 16, 256, 4096)))
        match of.randrange(8):
            case 0:
                for index in range(at, min(end, at + 8)):
                    spoilt[index] ^= 1 << of.randrange(8)
            case 1:
                del spoilt[at:]
            case 2:
                del spoilt[at:end]
            case 3:
                spoilt[at:end] = bytes(end - at)
            case 4:
                spoilt[at:at] = of.randbytes(of.choice((1, 7, 100)))
            case 5:
                spoilt[at : at + 4] = of.choice(_NUMBERS)
            case 6:
                spoilt[at:at] = spoilt[at:end]
            case _:
                spoilt[at:end] = of.randbytes(end - at)
    return bytes(spoilt)


def spoil_text(text: str, of: Random) -> str:
    """Odd characters put in, pieces taken out, doubled, or in another order."""
    for _ in range(of.choice((1, 1, 2, 5))):
        at = of.randrange(len(text) + 1)
        end = min(len(text), at + of.choice((1, 5, 50)))
        put = of.choice(_TEXTS)
        text = of.choice(
            (text[:at] + put + text[at:], text[:at] + put + text[end:], text[:at] + text[end:], text[:end] + text[at:])
        )
    return text


def encoded(text: str, of: Random) -> bytes:
    """A text as editors and tables write it, mostly in UTF-8."""
    encoding = of.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32"))
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" and of.random() < 0.5 else b""
    errors = "replace" if encoding in ("latin-1", "cp1252") else "surrogatepass"
    return mark + text.encode(encoding, errors)


def spoil_document(document: Any, of: Random) -> str:
    """JSON with one to three absurd values, sometimes a value of another place."""
    deep = False
    for _ in range(of.choice((1, 1, 1, 2, 3))):
        at = of.choice(list(places(document)))
        match of.randrange(10):
            case 0:
                document, deep = spoilt(document, at, "DEEP"), True
            case 1:
                other: Any = document
                for key in of.choice(list(places(document))):
                    other = other[key]
                document = spoilt(document, at, other)
            case _:
                document = spoilt(document, at, of.choice(VALUES))
    text = json.dumps(document)
    return text.replace('"DEEP"', DEEP) if deep else text


def spoil_json(text: str, of: Random) -> bytes:
    """A JSON file: absurd values, or text that is no JSON any more, or another encoding."""
    match of.randrange(8):
        case 0:
            return spoil_bytes(text.encode(), of)
        case 1:
            return encoded(spoil_text(text, of), of)
        case 2:
            return encoded(text, of)
        case _:
            return encoded(spoil_document(json.loads(text), of), of)


def spoil_png(data: bytes, of: Random) -> bytes:
    """A PNG whose chunks are whole, and say something absurd: checksums are right again."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    if not chunks:
        return spoil_bytes(data, of)
    number = of.choice((0, of.randrange(len(chunks))))
    name, body = chunks[number]
    match of.randrange(5):
        case 0:
            chunks.insert(of.randrange(len(chunks) + 1), (name, body))
        case 1:
            del chunks[number]
        case 2:
            chunks[number] = (of.choice((b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"iTXt", b"acTL", b"iCCP")), body)
        case _:
            chunks[number] = (name, spoil_bytes(body, of))
    made = [data[:8]]
    for name, body in chunks:
        made.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    return b"".join(made)


def spoil_safetensors(data: bytes, of: Random) -> bytes:
    """Weights whose header lies, or whose numbers are none."""
    size = struct.unpack("<Q", data[:8])[0]
    header, body = data[8 : 8 + size].decode(), data[8 + size :]
    match of.randrange(4):
        case 0:
            return spoil_bytes(data, of)
        case 1:
            value = of.choice((float("nan"), float("inf"), -1e38))
            at = of.randrange(max(1, len(body) // 4)) * 4
            body = body[:at] + struct.pack("<f", value) + body[at + 4 :]
        case _:
            header = spoil_document(json.loads(header), of)
    head = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(head)) + head + body


def spoil_file(path: Path, of: Random) -> None:
    """Spoil a file in its own way; sometimes it is empty, gone, a folder, or a link to nowhere."""
    if of.random() < 0.12:
        path.unlink()
        match of.randrange(4):
            case 0:
                path.touch()
            case 1:
                path.mkdir()
            case 2:
                path.symlink_to("/nowhere")
            case _:
                pass
        return
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        first, _, rest = data.decode().partition("\n")
        lines = path.suffix == ".jsonl"
        path.write_bytes(spoil_json(first, of) + b"\n" + rest.encode() if lines else spoil_json(data.decode(), of))
    elif path.suffix == ".png" and of.random() < 0.5:
        path.write_bytes(spoil_png(data, of))
    elif path.suffix == ".safetensors":
        path.write_bytes(spoil_safetensors(data, of))
    else:
        path.write_bytes(spoil_bytes(data, of))


def spoil_archive(folder: Path, file: Path, of: Random) -> None:
    """A zip of a folder, with names that lead elsewhere, entries twice, methods and sizes that lie, or wounds."""
    with zipfile.ZipFile(file, "w", of.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix())  # of 1980, whenever it is made
                info.compress_type = archive.compression
                archive.writestr(info, path.read_bytes())
        if of.random() < 0.3:
            odd = (
                "../outside",
                "/outside",
                "a/../../outside",
                "x" * 300,
                "pack.json/x",
                "con",
                "a\\b",
                "\udcff",
                "é.png",
            )
            name = of.choice(odd)
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.external_attr = of.choice((0, 0o120777 << 16, 0o100644 << 16, 0o10644 << 16))
            archive.writestr(info, b"/etc/passwd")
    if of.random() < 0.4:
        file.write_bytes(spoil_bytes(file.read_bytes(), of))
