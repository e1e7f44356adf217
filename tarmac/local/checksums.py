"""The checksums S3 clients declare, computed piece by piece. Called by `uploads` and the S3 rooms.

CRC32, SHA1 and SHA256 come from the standard library. CRC32C and CRC64NVME do not, so they are computed here, many
lanes at a time in numpy: the AWS CLI's second version declares CRC64NVME on everything it uploads.
"""

import base64
import functools
import hashlib
import zlib
from typing import Any, Protocol

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")

# Reflected polynomials. Source: RFC 3720 (CRC32C); the NVM Express base specification (CRC64NVME).
_REFLECTED = {"CRC32C": (0x82F63B78, 32), "CRC64NVME": (0x9A6C9329AC4BC9B5, 64)}
_LANES = 1024
_LANE_BYTES = 256
_BLOCK_BYTES = _LANES * _LANE_BYTES


class Checksum(Protocol):
    """Something fed bytes that ends in a digest."""

    def update(self, data: Any, /) -> None:
        """Feed it a bytes-like object."""

    def digest(self) -> bytes:
        """The digest, big-endian."""


class _Crc32:
    def __init__(self) -> None:
        self._crc = 0

    def update(self, data: Any, /) -> None:
        self._crc = zlib.crc32(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(4, "big")


@functools.cache
def _byte_table(algorithm: str) -> list[int]:
    polynomial, _ = _REFLECTED[algorithm]
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
        table.append(crc)
    return table


@functools.cache
def _lane_tables(algorithm: str) -> tuple[Any, Any]:
    """The byte table, and the table that moves a register over the lanes that follow it, as numpy arrays."""
    import numpy as np

    table = _byte_table(algorithm)
    _, width = _REFLECTED[algorithm]
    bits = [_advance(algorithm, 1 << bit, _LANE_BYTES) for bit in range(width)]
    shift = np.zeros((width // 8, 256), dtype=np.uint64)
    for position in range(width // 8):
        for byte in range(256):
            value = 0
            for bit in range(8):
                if byte >> bit & 1:
                    value ^= bits[position * 8 + bit]
            shift[position, byte] = value
    return np.array(table, dtype=np.uint64), shift


def _advance(algorithm: str, register: int, zero_bytes: int) -> int:
    table = _byte_table(algorithm)
    for _ in range(zero_bytes):
        register = (register >> 8) ^ table[register & 0xFF]
    return register


class _LaneCrc:
    """A reflected CRC: blocks of 256 KiB as 1,024 lanes side by side, the rest byte by byte."""

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._width = _REFLECTED[algorithm][1]
        self._mask = (1 << self._width) - 1
        self._register = self._mask
        self._table = _byte_table(algorithm)
        self._pending = bytearray()

    def update(self, data: Any, /) -> None:
        self._pending += data
        whole = len(self._pending) - len(self._pending) % _BLOCK_BYTES
        for start in range(0, whole, _BLOCK_BYTES):
            self._register = self._block(self._register, bytes(self._pending[start : start + _BLOCK_BYTES]))
        del self._pending[:whole]

    def _block(self, register: int, block: bytes) -> int:
        import numpy as np

        table, shift = _lane_tables(self._algorithm)
        columns = np.frombuffer(block, dtype=np.uint8).reshape(_LANES, _LANE_BYTES).T.astype(np.uint64)
        lanes = np.zeros(_LANES, dtype=np.uint64)
        # The running register stands before the first lane only; XOR being linear, the others start from nothing.
        lanes[0] = register
        low, eight = np.uint64(0xFF), np.uint64(8)
        for column in columns:
            lanes = (lanes >> eight) ^ table[(lanes ^ column) & low]
        rows = [row.tolist() for row in shift]
        joined = 0
        for lane in lanes.tolist():
            moved = 0
            for row in rows:
                moved ^= row[joined & 0xFF]
                joined >>= 8
            joined = moved ^ lane
        return joined

    def digest(self) -> bytes:
        register = self._register
        for byte in self._pending:
            register = (register >> 8) ^ self._table[(register ^ byte) & 0xFF]
        return (register ^ self._mask).to_bytes(self._width // 8, "big")


def new(algorithm: str) -> Checksum:
    """Start a checksum.

    Raises:
        ValueError: S3 knows no such algorithm (or it is one of those that nobody has implemented here).
    """
    if algorithm == "CRC32":
        return _Crc32()
    if algorithm in _REFLECTED:
        return _LaneCrc(algorithm)
    if algorithm == "SHA1":
        return hashlib.sha1(usedforsecurity=False)
    if algorithm == "SHA256":
        return hashlib.sha256(usedforsecurity=False)
    raise ValueError(f"checksum algorithm {algorithm!r} is not one of {', '.join(ALGORITHMS)}")


def encoded(digest: bytes) -> str:
    """A digest as S3 writes it."""
    return base64.b64encode(digest).decode()
