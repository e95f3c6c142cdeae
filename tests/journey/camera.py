"""Codes as a browser gets them: a picture of the card, and what a camera sees that is held over it."""

from collections.abc import Iterable
from pathlib import Path

import segno

SIZE = (1280, 720)  # px, of the camera
_DARK, _LIGHT, _GREY = 16, 235, 128  # luma and chroma of video


def picture(text: str, file: Path) -> Path:
    """A PNG of the code, as `janani people qr` draws it."""
    _code(text).save(str(file), kind="png", scale=4, border=4)
    return file


def film(frames: Iterable[str], file: Path) -> Path:
    """A film (YUV4MPEG2) that Chromium takes for a camera: the code of each text for a second; "" shows nothing."""
    width, height = SIZE
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg\n".encode())
        for text in frames:
            frame = b"FRAME\n" + _seen(text) + bytes([_GREY]) * (width * height // 2)
            out.write(frame * 5)
    return file


def _seen(text: str) -> bytes:
    """The luma of one frame, with the code in its middle."""
    width, height = SIZE
    blank = bytes([_LIGHT]) * width
    if not text:
        return blank * height
    rows = list(_code(text).matrix_iter(border=4))
    scale = height // len(rows)
    left = (width - scale * len(rows)) // 2
    lines = []
    for row in rows:
        inside = b"".join(bytes([_DARK if dark else _LIGHT]) * scale for dark in row)
        lines += [blank[:left] + inside + blank[left + len(inside) :]] * scale
    return b"".join([*lines, *([blank] * (height - len(lines)))])


def _code(text: str) -> segno.QRCode:
    return segno.make(text, error="l", micro=False, boost_error=False)
