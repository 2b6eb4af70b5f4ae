"""The model file: write, read, encode. Layout (little-endian), see README.md:

  0  magic "SKSTATIC"            8 bytes
  8  version, rows, dimensions, bits, bytes of header JSON    5 x u32
  28 header JSON (id, provenance), padded with spaces to a multiple of 4
     entries: UTF-8 joined by "\n", byte count as u32 before it, padded with zeros to 4
     costs:  u16 x rows (1/16 nat; only CJK entries use it)
     scales: f32 x rows
     table:  rows x dimensions / 2 bytes; value = scale * (nibble - 8); the low nibble holds column 2i, the high 2i+1
"""
import json, os, struct
import numpy as np
from tokenizer import Tokenizer

MAGIC = b"SKSTATIC"


def quantise(rows: np.ndarray):
    """Best of a few clip points per row, by squared error: nibbles 1..15 around 8, and a scale per row."""
    peak = np.abs(rows).max(1, keepdims=True) + 1e-9
    best = np.full(len(rows), np.inf)
    nib, scale = np.zeros(rows.shape, np.uint8), np.zeros(len(rows), np.float32)
    for clip in np.linspace(0.5, 1.0, 11):
        s = peak * clip / 7
        n = np.clip(np.round(rows / s), -7, 7)
        s2 = (rows * n).sum(1) / np.maximum((n * n).sum(1), 1e-9)  # least-squares scale for these nibbles
        err = ((rows - n * s2[:, None]) ** 2).sum(1)
        pick = err < best
        best[pick], scale[pick], nib[pick] = err[pick], s2[pick], (n[pick] + 8).astype(np.uint8)
    return nib, scale.astype(np.float32)


def write(path, entries, costs, rows, info):
    nib, scale = quantise(rows)
    packed = (nib[:, 0::2] | (nib[:, 1::2] << 4)).astype(np.uint8)
    head = json.dumps(info, ensure_ascii=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    text = "\n".join(entries).encode()
    with open(path + ".part", "wb") as f:
        f.write(MAGIC + struct.pack("<5I", 1, len(entries), rows.shape[1], 4, len(head)) + head)
        f.write(struct.pack("<I", len(text)) + text + b"\0" * (-len(text) % 4))
        c = np.asarray(costs, "<u2").tobytes()
        f.write(c + b"\0" * (-len(c) % 4))
        f.write(scale.astype("<f4").tobytes() + packed.tobytes())
    os.replace(path + ".part", path)


class StaticModel:
    def __init__(self, entries, costs, rows):
        self.tokenizer, self.rows = Tokenizer(entries, costs), rows

    @staticmethod
    def read(path):
        b = open(path, "rb").read()
        assert b[:8] == MAGIC
        version, n, dims, bits, head = struct.unpack_from("<5I", b, 8)
        at = 28 + head
        (size,) = struct.unpack_from("<I", b, at)
        entries = b[at + 4:at + 4 + size].decode().split("\n")
        at += 4 + size + (-size % 4)
        costs = np.frombuffer(b, "<u2", n, at).tolist()
        at += 2 * n + (-2 * n % 4)
        scale = np.frombuffer(b, "<f4", n, at)
        packed = np.frombuffer(b, np.uint8, n * dims // 2, at + 4 * n).reshape(n, dims // 2)
        nib = np.empty((n, dims), np.int8)
        nib[:, 0::2], nib[:, 1::2] = packed & 15, packed >> 4
        return StaticModel(entries, costs, (nib.astype(np.float32) - 8) * scale[:, None])

    def encode(self, texts):
        out = np.zeros((len(texts), self.rows.shape[1]), np.float32)
        for i, t in enumerate(texts):
            ids, count = np.unique(self.tokenizer.tokenize(t), return_counts=True)
            if len(ids):
                v = np.sqrt(count.astype(np.float32)) @ self.rows[ids.astype(np.int64)]
                out[i] = v / max(np.linalg.norm(v), 1e-9)
        return out
