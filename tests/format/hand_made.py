"""A repository written by hand from docs/format.md, with what no writer of pagevault produces yet.

Dictionaries, deltas, parts of chunks, node lists with a node that is a hole, a replaced index
object, a session, and the cipher that this machine may not prefer. Reader and program must both
read it. No code of pagevault; the keys come from reader.py.
"""
import ctypes
import os
import random
import struct

import reader
from reader import (DATA, DATA_PACK, DICTIONARY, METADATA, METADATA_PACK, MIB, RAW, SPAN, SODIUM,
                    XXHASH, ZERO_ID, ZSTD, ZSTD_DELTA, ZSTD_DICTIONARY, H, crc32c)

MASTER = bytes(range(32))
SECRET = bytes([0xC3]) * 32
TIME = 1_700_000_000_123_456_789
ABSENT_INDEX = bytes([0xAB]) * 32
AES256GCM, XCHACHA20POLY1305 = 1, 2


def varint(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def string(data):
    return varint(len(data)) + data


def fields(**values):
    return b"".join(struct.pack("<HI", int(tag[1:], 16), len(value)) + value
                    for tag, value in sorted(values.items(), key=lambda pair: int(pair[0][1:], 16)))


def with_checksum(data):
    return data + struct.pack("<Q", XXHASH.checksum(data))


def seal(cipher, key, nonce, associated, plain):
    name = {AES256GCM: "aes256gcm", XCHACHA20POLY1305: "xchacha20poly1305_ietf"}[cipher]
    if isinstance(nonce, int):
        nonce = struct.pack("<Q", nonce) + bytes(4 if cipher == AES256GCM else 16)
    out = ctypes.create_string_buffer(len(plain) + 16)
    encrypt = getattr(SODIUM.lib, f"crypto_aead_{name}_encrypt")
    encrypt(out, None, plain, ctypes.c_ulonglong(len(plain)), associated,
            ctypes.c_ulonglong(len(associated)), None, nonce, key)
    return out.raw


def compress(plain, dictionary=None, prefix=None):
    """One magicless frame without content size, checksum and dictionary id."""
    lib, size = ctypes.CDLL("libzstd.so.1"), ctypes.c_size_t
    lib.ZSTD_createCCtx.restype = ctypes.c_void_p
    lib.ZSTD_compress2.restype = size
    context = ctypes.c_void_p(lib.ZSTD_createCCtx())
    for parameter, value in ((10, 1), (200, 0), (201, 0), (202, 0)):
        lib.ZSTD_CCtx_setParameter(context, parameter, value)
    if dictionary is not None:
        lib.ZSTD_CCtx_loadDictionary(context, dictionary, size(len(dictionary)))
    if prefix is not None:
        lib.ZSTD_CCtx_refPrefix(context, prefix, size(len(prefix)))
    out = ctypes.create_string_buffer(len(plain) + 1024)
    length = lib.ZSTD_compress2(context, out, size(len(out)), plain, size(len(plain)))
    lib.ZSTD_freeCCtx(context)
    return out.raw[:length]


class HandMade:
    """Collects chunks, then writes the repository. `files` is what a restore must give."""

    def __init__(self, path, cipher):
        self.path, self.cipher, self.random = path, cipher, random.Random(1)
        self.keys, self.repository_id = reader.Keys(MASTER), bytes([0x77]) * 16
        self.blobs = {DATA_PACK: [], METADATA_PACK: []}
        self.files = {}
        for folder in ["keys", "index", "snapshots", "sessions", "gc",
                       *(f"packs/{byte:02x}" for byte in range(256))]:
            os.makedirs(os.path.join(path, folder))

    def put(self, name, data):
        with open(os.path.join(self.path, name), "xb") as file:
            file.write(data)

    def chunk(self, kind, plain, encoding=RAW, base=None):
        """Adds a chunk; `base` is (id, plain bytes). Returns (id, plain bytes)."""
        encoded = {RAW: lambda: plain, ZSTD: lambda: compress(plain),
                   ZSTD_DICTIONARY: lambda: compress(plain, dictionary=base[1]),
                   ZSTD_DELTA: lambda: compress(plain, prefix=base[1])}[encoding]()
        assert encoding == RAW or len(encoded) < len(plain), "this example must compress"
        chunk_id = H(self.keys.id[kind], plain)
        content = METADATA_PACK if kind == METADATA else DATA_PACK
        self.blobs[content].append(
            (chunk_id, kind, encoding, encoded, len(plain), base[0] if base else None))
        return chunk_id, plain

    # Section 5.

    def extent(self, chunk, begin=None, end=None):
        chunk_id, plain = chunk
        part = plain if begin is None else plain[begin:end]
        where = b"\1" + chunk_id if begin is None else b"\2" + chunk_id + varint(begin)
        return (where + varint(len(part)) + XXHASH.gate(self.keys.gate, part)
                + struct.pack("<I", crc32c(part)))

    @staticmethod
    def hole(length):
        return b"\0" + varint(length)

    @staticmethod
    def node(*extents):
        return b"\1\0" + varint(len(extents)) + b"".join(extents)

    def file(self, name, plain, root):
        self.files[name] = plain
        return self.entry(name, 1, 0o640, varint(len(plain)) + b"\0" + root, self.database())

    @staticmethod
    def database():
        """A database record, every part of it, and a field of a later version."""
        parts = ((0x0010, bytes([2, 0]) + bytes(range(20))), (0x0011, bytes(range(20))),
                 (0x0012, bytes(range(8))), (0x7000, b"later"))
        return b"".join(struct.pack("<HI", tag, len(value)) + value for tag, value in parts)

    @staticmethod
    def entry(name, kind, mode, content, extension=b""):
        times = struct.pack("<qq", TIME, TIME + 1)
        return (string(name) + bytes([kind, 0]) + varint(mode) + varint(os.getuid())
                + varint(os.getgid()) + string(b"") * 2 + times + varint(5) + varint(1000)
                + varint(1) + content + varint(0) + string(extension))

    def directory(self, *entries):
        """The stream's length and map root."""
        stream = b"\1" + b"".join(entries)
        chunk = self.chunk(METADATA, stream)
        return varint(len(stream)) + b"\1" + string(self.node(self.extent(chunk)))

    def tree(self):
        text = b"".join(b"row %d of the table, value %d\n" % (i, i * i) for i in range(4000))
        base = self.chunk(DATA, text, ZSTD)
        delta = self.chunk(DATA, text[:50_000] + b"changed" + text[50_000:], ZSTD_DELTA, base)
        dictionary = self.chunk(DICTIONARY, text[:20_000], ZSTD)
        small = self.chunk(DATA, text[3_000:7_000] + b"end", ZSTD_DICTIONARY, dictionary)
        raw = self.chunk(DATA, self.random.randbytes(10_000))
        last = self.chunk(METADATA, self.node(self.extent(raw), self.hole(5)))
        nodes = self.chunk(METADATA, b"\2\0" + varint(2) + ZERO_ID + last[0])
        first = self.chunk(METADATA, self.node(
            self.hole(MIB), self.extent(delta), self.hole(SPAN - MIB - len(delta[1]))))
        return self.directory(
            self.file(b"delta", delta[1], self.inline(self.extent(delta))),
            self.file(b"dictionary", small[1], self.inline(self.extent(small))),
            self.file(b"empty", b"", b"\0"),
            self.file(b"lists", bytes(SPAN) + raw[1] + bytes(5), b"\3" + varint(1) + nodes[0]),
            self.file(b"nodes", bytes(MIB) + delta[1] + bytes(SPAN - MIB - len(delta[1]))
                      + raw[1] + bytes(5), b"\2" + varint(2) + first[0] + last[0]),
            self.file(b"parts", raw[1][10:20] + bytes(3) + base[1][5:9_000],
                      self.inline(self.extent(raw, 10, 20), self.hole(3),
                                  self.extent(base, 5, 9_000))))

    def inline(self, *extents):
        return b"\1" + string(self.node(*extents))

    # Sections 2 to 4.

    def key_slot(self):
        salt, nonce, slot_id = (self.random.randbytes(n) for n in (32, 24, 16))
        kek = H(SECRET, b"pagevault slot kek v1", salt)
        payload = b"\1" + MASTER + struct.pack("<q", TIME) + string(b"hand made") + string(b"host")
        header = (b"PVKEYSLT" + struct.pack("<HBBIIIQ", 1, 2, 2, 0, 0, 0, 0) + salt + nonce
                  + H(kek, b"pagevault slot commitment v1") + bytes(80) + struct.pack("<I", 256))
        sealed = seal(2, kek, nonce, header + slot_id, payload.ljust(256, b"\0"))
        self.put(f"keys/{slot_id.hex()}", with_checksum(header + sealed))

    def sealed_object(self, kind, object_id, name, body):
        salt = self.random.randbytes(32)
        key = H(self.keys.object[kind], b"pagevault object key v1", salt)
        header = (b"PVOBJECT" + struct.pack("<HBBI", 1, kind, self.cipher, 0) + salt
                  + H(key, b"pagevault key commitment v1") + struct.pack("<Q", len(body)))
        repository = bytes(16) if kind == reader.CONFIG else self.repository_id
        sealed = seal(self.cipher, key, 0, repository + object_id + header, body)
        self.put(name, with_checksum(header + sealed))

    def config(self):
        self.sealed_object(reader.CONFIG, ZERO_ID, "config", fields(
            x8001=self.repository_id, x8002=struct.pack("<q", TIME),
            x8003=struct.pack("<BIII", 1, 16 << 10, 64 << 10, 256 << 10),
            x8004=struct.pack("<BIII", 1, 32 << 10, 64 << 10, 128 << 10),
            x8005=struct.pack("<I", SPAN), x8006=struct.pack("<I", 32 * MIB),
            x8007=b"\1" + bytes(32), x8008=bytes(8), x0009=string(b"by hand"),
            x7777=b"a tag that every reader ignores"))

    def pack(self, content):
        """Writes a pack; returns what an index object says of it."""
        blobs, pack_id = self.blobs[content], self.random.randbytes(32)
        key = H(self.keys.pack[content], b"pagevault pack key v1", pack_id)
        out = (b"PVPACK\0\1" + struct.pack("<HBBB", 1, content, self.cipher, 1) + bytes(3) + pack_id
               + H(key, b"pagevault key commitment v1") + bytes(80))
        header, directory = out, b""
        for ordinal, (chunk_id, kind, encoding, encoded, plain, base) in enumerate(blobs):
            stored = len(encoded) + 16
            out += seal(self.cipher, key, ordinal, self.repository_id + pack_id + struct.pack(
                "<IQBBHII", ordinal, len(out), kind, encoding, 0, stored, plain)
                + chunk_id + (base or ZERO_ID), encoded)
            directory += (chunk_id + bytes([kind, encoding]) + varint(stored) + varint(plain)
                          + (base or b""))
        offset, stored = len(out), len(directory) + 16
        out += seal(self.cipher, key, len(blobs), self.repository_id + pack_id + struct.pack(
            "<IQBBHII", len(blobs), offset, 0xFF, 0, 0, stored, len(directory))
            + pack_id + H(b"", header), directory)
        out = out.ljust(reader.padme(len(out) + 32) - 32, b"\0")
        out += b"PVPACKE1" + struct.pack("<QII", offset, stored, len(blobs))
        self.put(f"packs/{pack_id[:1].hex()}/{pack_id.hex()}", with_checksum(out))
        return (pack_id + bytes([content, self.cipher, 1]) + struct.pack("<Q", len(out) + 8)
                + varint(len(blobs)) + directory)

    def index(self, packs, replaced):
        index_id = self.random.randbytes(32)
        body = b"\1" + varint(len(packs)) + b"".join(packs) + varint(len(replaced))
        self.sealed_object(reader.INDEX, index_id, f"index/{index_id.hex()}",
                           body + b"".join(replaced))
        return index_id

    def snapshot(self, root):
        signed = fields(
            x8001=b"\1", x8002=struct.pack("<q", TIME), x8003=struct.pack("<q", TIME + 5),
            x8004=string(b"host"), x8005=string(b"user"), x8006=varint(1) + string(b"/d"),
            x8007=varint(2) + string(b"a") + string(b"b"), x8008=root, x8009=b"",
            x800A=bytes([1]) * 16 + struct.pack("<Q", 1) + ZERO_ID, x800B=bytes([2]) * 32)
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        seed = SODIUM.derive(MASTER, b"pv_sign_", 1, 32)
        SODIUM.lib.crypto_sign_seed_keypair(public, secret, seed)
        message = b"pagevault snapshot v1" + self.repository_id + signed
        signature = ctypes.create_string_buffer(64)
        SODIUM.lib.crypto_sign_detached(signature, None, message,
                                        ctypes.c_ulonglong(len(message)), secret)
        body = struct.pack("<I", len(signed)) + signed + b"\1" + public.raw + signature.raw
        snapshot_id = H(self.keys.snapshot_id, body)
        self.sealed_object(reader.SNAPSHOT, snapshot_id, f"snapshots/{snapshot_id.hex()}", body)

    def session(self):
        object_id = self.random.randbytes(32)
        self.sealed_object(reader.SESSION, object_id, f"sessions/{object_id.hex()}", fields(
            x8001=bytes([2]) * 32, x8002=bytes(8), x8003=struct.pack("<q", TIME),
            x0004=string(b"host"), x0005=struct.pack("<I", 1)))

    def write(self):
        self.key_slot()
        self.config()
        root = self.directory(self.entry(b"d", 2, 0o750, self.tree()))
        packs = [self.pack(METADATA_PACK), self.pack(DATA_PACK)]
        self.index(packs, [self.index(packs, []), ABSENT_INDEX])
        self.snapshot(root)
        self.session()


def write_key_file(path):
    text = f"pagevault-key-1:{SECRET.hex()}:{H(b'', SECRET)[:4].hex()}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
