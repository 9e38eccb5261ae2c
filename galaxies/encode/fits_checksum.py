"""CHECKSUM and DATASUM of FITS (standard 4.0, section 4.4.2.7 and appendix J), for data that comes in pieces."""

from __future__ import annotations

import numpy as np

_WORD = 4
_ZERO = ord("0")
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")


def add_to_sum(total: int, data: bytes) -> int:
    """``total`` plus the big-endian 32-bit words of ``data`` in ones'-complement arithmetic.

    ``data`` of a length that is no multiple of 4 is taken as filled up with zeros, so only the last piece may have one.
    """
    words = np.frombuffer(data + bytes(-len(data) % _WORD), dtype=">u4")
    total += int(words.sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def checksum_text(total: int) -> str:
    """The 16 characters that, as the value of CHECKSUM, make an HDU whose words add up to ``total`` add up to -0.

    ``total`` is taken with the value at sixteen zeros. Every byte of the complement is spread over four printable characters that
    add up to it; pairs are shifted against each other until none is a punctuation mark.
    """
    complement = 0xFFFFFFFF - total
    columns = []
    for shift in (24, 16, 8, 0):
        byte = (complement >> shift) & 0xFF
        quarter, rest = divmod(byte, 4)
        letters = [_ZERO + quarter + (rest if i == 0 else 0) for i in range(4)]
        while any(letter in _PUNCTUATION for letter in letters):
            for i in (0, 2):
                if letters[i] in _PUNCTUATION or letters[i + 1] in _PUNCTUATION:
                    letters[i] += 1
                    letters[i + 1] -= 1
        columns.append(letters)
    text = "".join(chr(columns[byte][i]) for i in range(4) for byte in range(4))
    return text[-1] + text[:-1]
