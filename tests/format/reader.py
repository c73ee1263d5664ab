#!/usr/bin/env python3
"""An independent reader of pagevault repositories, written from docs/format.md alone.

    reader.py --repo DIR (--password-file F | --key-file F) list
    reader.py --repo DIR (--password-file F | --key-file F) restore SNAPSHOT TARGET
    reader.py --repo DIR (--password-file F | --key-file F) verify

Python's standard library, libsodium, libzstd and libxxhash; no code of pagevault. It exists to
prove that the page suffices, so it follows the page's order, cites its sections, refuses whatever
the page says must be refused, and is slow wherever that is shorter.
Exit codes: 0 done, 2 wrong use, 10 no repository, 12 wrong credential, 20 damage.
"""
import argparse
import collections
import ctypes
import dataclasses
import datetime
import hashlib
import os
import re
import stat
import struct
import sys

MIB = 1 << 20
SPAN = 64 * MIB
ZERO_ID = bytes(32)

# Section 6: limits, before anything is allocated.
CHUNK_MAX = 8 * MIB
BODY_MAX = 64 * MIB
PACK_MAX = 256 * MIB
BLOBS_MAX = 65_536
EXTENTS_MAX = 262_144
DEPTH_MAX = 1_024
ENTRY_MAX = MIB
FILE_MAX = 1 << 53
SLOTS_MAX = 64
SLOT_FILE_MAX = 4_096
FIELDS_MAX = 256
LIST_NODES = 4_096

# Section 1: object types. Section 4: contents, blob types, encodings.
CONFIG, INDEX, SNAPSHOT, SESSION = 1, 4, 5, 6
DATA_PACK, METADATA_PACK = 1, 2
DATA, METADATA, DICTIONARY, DIRECTORY_RECORD = 1, 2, 3, 0xFF
BLOB_TYPES = {DATA_PACK: (DATA, DICTIONARY), METADATA_PACK: (METADATA,)}
RAW, ZSTD, ZSTD_DICTIONARY, ZSTD_DELTA = 1, 2, 3, 4


class Damaged(Exception):
    """Bytes that the page says must be refused."""


class WrongCredential(Exception):
    """No key slot opens with this credential."""


class NotARepository(Exception):
    """There is no config."""


def require(condition, problem):
    """Refuses, unlike assert also under -O."""
    if not condition:
        raise Damaged(problem)


# --- Libraries ---------------------------------------------------------------------------------


class Sodium:
    """libsodium: ciphers, key derivation, signatures (sections 2 and 3)."""

    def __init__(self):
        self.lib = ctypes.CDLL("libsodium.so.23")
        require(self.lib.sodium_init() >= 0, "libsodium does not start")
        text, number = ctypes.c_char_p, ctypes.c_ulonglong
        opener = [text, ctypes.c_void_p, text, text, number, text, number, text, text]
        self.lib.crypto_aead_aes256gcm_decrypt.argtypes = opener
        self.lib.crypto_aead_xchacha20poly1305_ietf_decrypt.argtypes = opener
        self.lib.crypto_pwhash.argtypes = [
            text, number, text, number, text, number, ctypes.c_size_t, ctypes.c_int]
        self.lib.crypto_kdf_derive_from_key.argtypes = [
            text, ctypes.c_size_t, ctypes.c_uint64, text, text]
        self.lib.crypto_sign_seed_keypair.argtypes = [text, text, text]
        self.lib.crypto_sign_verify_detached.argtypes = [text, text, number, text]

    def open_box(self, cipher, key, nonce, associated, sealed):
        """The plain bytes of ciphertext and tag. `nonce` is a counter, or 24 bytes."""
        require(cipher in (1, 2), f"unknown cipher {cipher}")
        require(len(sealed) >= 16, "sealed bytes are shorter than their tag")
        if isinstance(nonce, int):
            nonce = struct.pack("<Q", nonce) + bytes(4 if cipher == 1 else 16)
        if cipher == 1:
            require(self.lib.crypto_aead_aes256gcm_is_available(),
                    "this processor has no AES-256-GCM for libsodium")
            decrypt = self.lib.crypto_aead_aes256gcm_decrypt
        else:
            decrypt = self.lib.crypto_aead_xchacha20poly1305_ietf_decrypt
        plain = ctypes.create_string_buffer(max(1, len(sealed) - 16))
        failed = decrypt(plain, None, None, sealed, len(sealed),
                         associated, len(associated), nonce, key)
        require(not failed, "authentication failed")
        return plain.raw[:len(sealed) - 16]

    def argon2id(self, passphrase, salt, passes, memory):
        key = ctypes.create_string_buffer(32)
        if self.lib.crypto_pwhash(key, 32, passphrase, len(passphrase), salt, passes, memory, 2):
            raise MemoryError(f"Argon2id: {memory} bytes are not available")
        return key.raw

    def derive(self, master, context, subkey, length):
        key = ctypes.create_string_buffer(length)
        self.lib.crypto_kdf_derive_from_key(key, length, subkey, context, master)
        return key.raw

    def public_key(self, seed):
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        self.lib.crypto_sign_seed_keypair(public, secret, seed)
        return public.raw

    def signature_holds(self, signature, message, public_key):
        return self.lib.crypto_sign_verify_detached(
            signature, message, len(message), public_key) == 0


class XxHash:
    """libxxhash: checksums and the gate."""

    class Hash128(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]

    def __init__(self):
        self.lib = ctypes.CDLL("libxxhash.so.0")
        self.lib.XXH3_64bits.restype = ctypes.c_uint64
        self.lib.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self.lib.XXH3_128bits_withSecret.restype = XxHash.Hash128
        self.lib.XXH3_128bits_withSecret.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def checksum(self, data):
        return self.lib.XXH3_64bits(data, len(data))

    def gate(self, secret, data):
        """Section 5: XXH3-128 with K_gate as secret, in canonical (big-endian) form."""
        value = self.lib.XXH3_128bits_withSecret(data, len(data), secret, len(secret))
        return struct.pack(">QQ", value.high, value.low)


class Zstd:
    """libzstd: one magicless frame (section 4)."""

    class Buffer(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]

    RESET_ALL, FORMAT, MAGICLESS = 3, 1000, 1

    def __init__(self):
        self.lib = ctypes.CDLL("libzstd.so.1")
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self.lib.ZSTD_createDCtx.restype = pointer
        for name, arguments in (("DCtx_reset", [pointer, ctypes.c_int]),
                                ("DCtx_setParameter", [pointer, ctypes.c_int, ctypes.c_int]),
                                ("DCtx_loadDictionary", [pointer, ctypes.c_char_p, size]),
                                ("DCtx_refPrefix", [pointer, ctypes.c_char_p, size]),
                                ("decompressStream", [pointer, pointer, pointer])):
            function = getattr(self.lib, "ZSTD_" + name)
            function.argtypes, function.restype = arguments, size
        self.context = self.lib.ZSTD_createDCtx()

    def call(self, name, *arguments):
        result = getattr(self.lib, "ZSTD_" + name)(self.context, *arguments)
        require(not self.lib.ZSTD_isError(ctypes.c_size_t(result)), f"zstd: {name} failed")
        return result

    def decode(self, frame, plain_length, dictionary=None, prefix=None):
        # The frame header descriptor: no content size, checksum or dictionary id.
        require(frame[:1] == b"\0", "zstd: the frame header has what it must not have")
        self.call("DCtx_reset", Zstd.RESET_ALL)
        self.call("DCtx_setParameter", Zstd.FORMAT, Zstd.MAGICLESS)
        if dictionary is not None:
            self.call("DCtx_loadDictionary", dictionary, len(dictionary))
        if prefix is not None:
            self.call("DCtx_refPrefix", prefix, len(prefix))
        source = ctypes.create_string_buffer(frame, len(frame))
        plain = ctypes.create_string_buffer(plain_length)
        into = Zstd.Buffer(ctypes.addressof(plain), plain_length, 0)
        out_of = Zstd.Buffer(ctypes.addressof(source), len(frame), 0)
        while True:
            before = (into.at, out_of.at)
            if self.call("decompressStream", ctypes.byref(into), ctypes.byref(out_of)) == 0:
                break
            require(before != (into.at, out_of.at), "zstd: the frame does not end")
        require(out_of.at == len(frame), "zstd: bytes after the frame")
        require(into.at == plain_length, "zstd: not the plain length")
        return plain.raw


SODIUM, XXHASH, ZSTD_LIBRARY = Sodium(), XxHash(), Zstd()


def H(key, *parts):
    """BLAKE2b-256, keyed; unkeyed when key is empty."""
    return hashlib.blake2b(b"".join(parts), key=key, digest_size=32).digest()


class Crc32c:
    """CRC-32C (Castagnoli), fast enough in Python.

    With P the CRC's polynomial, x^5685 = x^1362 + x^426 + 1 modulo P, and squaring gives the same
    for exponents times 2^j. So leading bits fold forward into three places, with shifts of Python's
    long integers, until about a kilobyte is left for the table. Bit 0 is the message's first bit.
    """

    HIGH, MIDDLE, LOW, FOLD = 5685, 1362, 426, 4320  # FOLD: whole bytes, at most HIGH - MIDDLE.

    def __init__(self):
        self.table = []
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            self.table.append(byte)
        require(self(b"123456789") == 0xE3069283, "crc32c is wrong")

    def residue(self, data):
        """A short message that has the CRC of `data`; both without the final inversion."""
        message, bits = int.from_bytes(data, "little"), 8 * len(data)
        for j in range(bits.bit_length(), -1, -1):
            high, middle, low = self.HIGH << j, self.MIDDLE << j, self.LOW << j
            fold = self.FOLD << j
            while bits >= high + fold:
                head = message & ((1 << fold) - 1)
                message >>= fold
                message ^= head << (high - middle - fold)
                message ^= head << (high - low - fold)
                message ^= head << (high - fold)
                bits -= fold
        return message.to_bytes(bits // 8, "little")

    def __call__(self, data):
        crc = 0xFFFFFFFF
        if len(data) > 2048:  # The initial inversion concerns the first four bytes only.
            data = self.residue(bytes(b ^ 0xFF for b in data[:4]) + data[4:])
            crc = 0
        for byte in data:
            crc = self.table[(crc ^ byte) & 0xFF] ^ crc >> 8
        return crc ^ 0xFFFFFFFF


crc32c = Crc32c()


# --- Encodings ---------------------------------------------------------------------------------


class Cursor:
    """Reads the integers and strings of the page's first paragraph, strictly."""

    def __init__(self, data, what):
        self.data, self.what, self.at = data, what, 0

    def require(self, condition, problem):
        require(condition, f"{self.what}: {problem}")

    def take(self, length):
        self.require(length <= len(self.data) - self.at, "ends early")
        self.at += length
        return self.data[self.at - length:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def u8(self):
        return self.number("B")

    def u16(self):
        return self.number("H")

    def u32(self):
        return self.number("I")

    def u64(self):
        return self.number("Q")

    def i64(self):
        return self.number("q")

    def id(self):
        return self.take(32)

    def varint(self, low=0, high=(1 << 64) - 1):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.require(byte or not shift, "varint is not minimal")
                self.require(low <= value <= high, f"{value} is out of bounds")
                return value
        raise Damaged(f"{self.what}: varint is too long")

    def str(self, high=BODY_MAX):
        return self.take(self.varint(0, high))

    def strings(self, high):
        return [self.str() for _ in range(self.varint(0, high))]

    def zeros(self, length, name="reserved bytes"):
        self.require(not any(self.take(length)), f"{name} are not zero")

    def one_of(self, value, known, name):
        self.require(value in known, f"unknown {name} {value}")
        return value

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        self.require(self.at == len(self.data), "trailing bytes")


def check_sum(data, what):
    """Every object ends with the XXH3 of all bytes before."""
    require(len(data) >= 8, f"{what}: ends early")
    require(XXHASH.checksum(data[:-8]) == struct.unpack("<Q", data[-8:])[0],
            f"{what}: checksum differs")


def parse_fields(data, what, known):
    """Section 3, "Fields". `known`: tag -> function(cursor). The known tags with the high bit set
    must be there, the others may. Returns tag -> value, None for one that is absent."""
    values, cursor, last, count = dict.fromkeys(known), Cursor(data, what), -1, 0
    while cursor.at < len(data):
        tag, length = cursor.u16(), cursor.u32()
        value = Cursor(cursor.take(length), f"{what}, field {tag:#06x}")
        count += 1
        cursor.require(tag > last and count <= FIELDS_MAX, "fields are not ascending, or too many")
        cursor.require(tag in known or tag < 0x8000, f"unknown field {tag:#06x}")
        if tag in known:
            values[tag] = known[tag](value)
            value.end()
        last = tag
    for tag, value in values.items():
        require(value is not None or tag < 0x8000, f"{what}: no field {tag:#06x}")
    return values


# --- Section 2: keys ---------------------------------------------------------------------------


class Keys:
    """Everything derived from the master secret."""

    def __init__(self, master):
        def key(context, subkey, length=32):
            return SODIUM.derive(master, context, subkey, length)

        self.id = {DATA: key(b"pv_ids__", 1), METADATA: key(b"pv_ids__", 2)}
        self.id[DICTIONARY] = self.id[DATA]
        self.snapshot_id = key(b"pv_ids__", 3)
        self.gate = b"".join(key(b"pv_gate_", n, 64) for n in (1, 2, 3))
        self.pack = {DATA_PACK: key(b"pv_pack_", 1), METADATA_PACK: key(b"pv_pack_", 2)}
        self.object = {t: key(b"pv_objs_", t) for t in (CONFIG, INDEX, SNAPSHOT, SESSION)}
        self.signer = SODIUM.public_key(key(b"pv_sign_", 1))

    @staticmethod
    def committed(key, commitment, what):
        require(H(key, b"pagevault key commitment v1") == commitment, f"{what}: commitment differs")
        return key

    def pack_key(self, content, salt, commitment, what):
        return self.committed(
            H(self.pack[content], b"pagevault pack key v1", salt), commitment, what)

    def object_key(self, kind, salt, commitment, what):
        return self.committed(
            H(self.object[kind], b"pagevault object key v1", salt), commitment, what)


@dataclasses.dataclass
class Credential:
    """What opens key slots of one kind; a paper key is the master secret itself."""
    kind: str  # "passphrase", "key" or "master"
    secret: bytes

    @staticmethod
    def from_password_file(path):
        """The passphrase is the first line, without LF or CR LF."""
        with open(path, "rb") as file:
            line = file.readline().removesuffix(b"\n").removesuffix(b"\r")
            return Credential("passphrase", line)

    @staticmethod
    def from_key_file(path):
        with open(path, "rb") as file:
            text = file.read(SLOT_FILE_MAX)
        match = re.fullmatch(rb"pagevault-(key|master)-1:([0-9a-f]{64}):([0-9a-f]{8})\n", text)
        secret = bytes.fromhex(match[2].decode()) if match else b""
        if not match or H(b"", secret)[:4].hex().encode() != match[3]:
            raise WrongCredential(f"{path} is not a key file")
        return Credential(match[1].decode(), secret)


class KeySlot:
    """Section 2, "Key slot"."""

    PASSPHRASE, KEY_FILE, RECIPIENT = 1, 2, 3

    def __init__(self, slot_id, data, what):
        check_sum(data, what)
        cursor = Cursor(data, what)
        self.id, self.what = slot_id, what
        cursor.require(cursor.take(8) == b"PVKEYSLT", "magic differs")
        cursor.one_of(cursor.u16(), (1,), "version")
        self.kind = cursor.one_of(cursor.u8(), (1, 2, 3), "kind")
        self.cipher = cursor.one_of(cursor.u8(), (2,), "cipher")
        cursor.zeros(4, "flags")
        kdf, self.passes, self.memory = cursor.u32(), cursor.u32(), cursor.u64()
        if self.kind == KeySlot.PASSPHRASE:
            cursor.one_of(kdf, (1,), "KDF")
            cursor.require(1 <= self.passes <= 64 and 8 * MIB <= self.memory <= 2048 * MIB,
                           "cost of the KDF is out of bounds")
        else:
            cursor.require(kdf == self.passes == self.memory == 0, "KDF where there is none")
        self.salt, self.nonce, self.commitment = cursor.take(32), cursor.take(24), cursor.take(32)
        if self.kind == KeySlot.RECIPIENT:
            cursor.take(80)
        else:
            cursor.zeros(80)
        cursor.require(cursor.u32() == 256, "payload is not 256 bytes")
        self.associated = data[:204] + slot_id
        self.payload = cursor.take(256 + 16)
        cursor.take(8)
        cursor.end()

    def master(self, credential):
        """The master secret, or None when the credential does not open this slot."""
        if (self.kind, credential.kind) == (KeySlot.PASSPHRASE, "passphrase"):
            kek = SODIUM.argon2id(credential.secret, self.salt[:16], self.passes, self.memory)
        elif (self.kind, credential.kind) == (KeySlot.KEY_FILE, "key"):
            kek = H(credential.secret, b"pagevault slot kek v1", self.salt)
        else:
            return None
        if H(kek, b"pagevault slot commitment v1") != self.commitment:
            return None
        plain = SODIUM.open_box(self.cipher, kek, self.nonce, self.associated, self.payload)
        cursor = Cursor(plain, self.what)
        cursor.one_of(cursor.u8(), (1,), "role")
        master = cursor.take(32)
        cursor.i64()
        try:
            cursor.str(100).decode(), cursor.str(100).decode()
        except UnicodeDecodeError:
            raise Damaged(f"{self.what}: label or host is not UTF-8") from None
        cursor.zeros(256 - cursor.at)
        return master


# --- Section 3: sealed objects -----------------------------------------------------------------


def open_sealed(keys, repository_id, kind, object_id, data, what):
    """The body of a config, index object, snapshot or session."""
    check_sum(data, what)
    cursor = Cursor(data, what)
    cursor.require(cursor.take(8) == b"PVOBJECT", "magic differs")
    cursor.one_of(cursor.u16(), (1,), "version")
    cursor.require(cursor.u8() == kind, "is an object of another type")
    cipher = cursor.u8()
    cursor.zeros(4, "flags")
    key = keys.object_key(kind, cursor.take(32), cursor.take(32), what)
    length = cursor.u64()
    cursor.require(length <= BODY_MAX, "body is too long")
    sealed = cursor.take(length + 16)
    cursor.take(8)
    cursor.end()
    try:
        return SODIUM.open_box(cipher, key, 0, repository_id + object_id + data[:88], sealed)
    except Damaged as problem:
        raise Damaged(f"{what}: {problem}") from None


class Config:
    """Section 3, "Config"."""

    def __init__(self, body):
        def chunker(cursor):
            cursor.one_of(cursor.u8(), (1,), "chunker")
            least, target, most = cursor.u32(), cursor.u32(), cursor.u32()
            cursor.require(64 <= least <= target <= most <= CHUNK_MAX, "chunk sizes")
            return least, target, most

        fields = parse_fields(body, "config", {
            0x8001: lambda c: c.take(16), 0x8002: Cursor.i64, 0x8003: chunker, 0x8004: chunker,
            0x8005: Cursor.u32, 0x8006: Cursor.u32, 0x8007: lambda c: (c.u8(), c.take(32)),
            0x8008: Cursor.u64, 0x0009: Cursor.str})
        self.repository_id = fields[0x8001]
        require(fields[0x8005] == SPAN, "config: unknown span length")
        require(16 * MIB <= fields[0x8006] <= 64 * MIB, "config: pack length is out of bounds")
        mode, public_key = fields[0x8007]
        require(mode in (1, 2) and (mode == 2 or public_key == ZERO_ID), "config: key mode")
        require(fields[0x8008] == 0, "config: features that this reader does not know")


@dataclasses.dataclass
class Blob:
    """One entry of a pack's directory, and where that puts it."""
    id: bytes
    type: int
    encoding: int
    stored: int
    plain: int
    base: bytes
    ordinal: int
    offset: int


def parse_blobs(cursor, count, content):
    """Blob entries, as in a pack's directory and in index objects (sections 3 and 4)."""
    blobs, offset = [], 160
    for ordinal in range(count):
        chunk_id = cursor.id()
        kind = cursor.one_of(cursor.u8(), BLOB_TYPES[content], "blob type")
        encoding = cursor.one_of(cursor.u8(), (1, 2, 3, 4), "encoding")
        stored, plain = cursor.varint(17), cursor.varint(1, CHUNK_MAX)
        base = cursor.id() if encoding in (ZSTD_DICTIONARY, ZSTD_DELTA) else ZERO_ID
        cursor.require(stored == plain + 16 if encoding == RAW else stored <= plain + 16,
                       "stored length does not fit")
        cursor.require(kind != DICTIONARY or encoding in (RAW, ZSTD), "dictionary with a base")
        blobs.append(Blob(chunk_id, kind, encoding, stored, plain, base, ordinal, offset))
        offset += stored
    return blobs


@dataclasses.dataclass
class PackSummary:
    """What an index object says of a pack, and the pack of itself."""
    content: int
    cipher: int
    key_mode: int
    length: int
    blobs: list


class IndexObject:
    """Section 3, "Index object"."""

    def __init__(self, body, what):
        cursor = Cursor(body, what)
        cursor.one_of(cursor.u8(), (1,), "version")
        self.packs = {}
        for _ in range(cursor.varint()):
            pack_id = cursor.id()
            content = cursor.one_of(cursor.u8(), (1, 2), "content")
            cipher = cursor.one_of(cursor.u8(), (1, 2), "cipher")
            key_mode = cursor.one_of(cursor.u8(), (1, 2), "key mode")
            length = cursor.u64()
            cursor.require(length <= PACK_MAX, "pack is too long")
            blobs = parse_blobs(cursor, cursor.varint(1, BLOBS_MAX), content)
            cursor.require(pack_id not in self.packs, "names a pack twice")
            self.packs[pack_id] = PackSummary(content, cipher, key_mode, length, blobs)
        self.replaced = [cursor.id() for _ in range(cursor.varint())]
        cursor.end()


class Snapshot:
    """Section 3, "Snapshot"."""

    KINDS = {1: "files", 2: "sqlite", 3: "postgres", 4: "stream"}

    def __init__(self, keys, repository_id, snapshot_id, body, what):
        require(H(keys.snapshot_id, body) == snapshot_id, f"{what}: id differs")
        self.id = snapshot_id
        cursor = Cursor(body, what)
        fields = cursor.take(cursor.u32())
        signer = cursor.one_of(cursor.u8(), (1,), "signer")
        public_key, signature = cursor.take(32), cursor.take(64)
        cursor.end()
        cursor.require(signer == 1 and public_key == keys.signer, "signer is not the repository")
        cursor.require(SODIUM.signature_holds(
            signature, b"pagevault snapshot v1" + repository_id + fields, public_key),
            "signature does not hold")
        self.read(parse_fields(fields, what, {
            0x8001: Cursor.u8, 0x8002: Cursor.i64, 0x8003: Cursor.i64, 0x8004: Cursor.str,
            0x8005: Cursor.str, 0x8006: lambda c: c.strings(BODY_MAX),
            0x8007: lambda c: c.strings(BODY_MAX),
            0x8008: lambda c: Map(c, c.varint(1, FILE_MAX), METADATA), 0x8009: Cursor.rest,
            0x800A: lambda c: (c.take(16), c.u64(), c.id()), 0x800B: Cursor.id,
            0x000C: Cursor.u64, 0x000D: lambda c: [c.u64() for _ in range(12)],
            0x000E: Cursor.str, 0x000F: Cursor.u8,
            0x0010: lambda c: PostgresRecord(c.rest(), what)}), what)

    def read(self, fields, what):
        require(fields[0x8001] in Snapshot.KINDS, f"{what}: unknown kind {fields[0x8001]}")
        self.kind = Snapshot.KINDS[fields[0x8001]]
        self.committed, self.host = fields[0x8003], fields[0x8004]
        self.paths, tags = fields[0x8006], fields[0x8007]
        require(tags == sorted(set(tags)), f"{what}: tags are not ascending")
        self.root, self.parent = fields[0x8008], fields[0x8009]
        require(len(self.parent) in (0, 32), f"{what}: parent is not an id")
        _, sequence, before = fields[0x800A]
        require(sequence >= 1 and (sequence == 1) == (before == ZERO_ID), f"{what}: sequence")
        require(fields[0x000F] in (None, 0, 1), f"{what}: completeness")
        self.postgres = fields[0x0010]
        require((self.kind == "postgres") == (self.postgres is not None), f"{what}: record")


class PostgresRecord:
    """Section 3, "PostgreSQL record"."""

    RECORD_MAX, RANGES_MAX, TABLESPACES_MAX, DOUBTS_MAX = 16 * MIB, 1_024, 65_536, 4_096
    PATH_MAX = 1_023

    def __init__(self, data, what):
        what += ", PostgreSQL record"
        require(len(data) <= PostgresRecord.RECORD_MAX, f"{what}: is too long")
        fields = parse_fields(data, what, {
            0x0008: Cursor.u64, 0x0009: self.read_doubts, 0x8001: Cursor.u64,
            0x8002: lambda c: [c.u32() for _ in range(3)],
            0x8003: lambda c: [c.u32() for _ in range(3)], 0x8004: Cursor.u8,
            0x8005: lambda c: (c.u32(), c.u64(), c.u64()), 0x8006: self.read_ranges,
            0x8007: self.read_tablespaces})
        self.blocks_changed, doubts = fields[0x0008], fields[0x0009]
        self.doubts, self.doubts_more = doubts or ([], 0)
        self.system, self.versions, self.geometry = fields[0x8001], fields[0x8002], fields[0x8003]
        self.flags, self.position = fields[0x8004], fields[0x8005]
        require(self.flags < 32, f"{what}: unknown flags {self.flags}")
        self.ranges, self.tablespaces = fields[0x8006], fields[0x8007]

    @staticmethod
    def read_path(cursor, low=0):
        path = cursor.str(PostgresRecord.PATH_MAX)
        cursor.require(len(path) >= low and b"\0" not in path, "bad path")
        return path

    @staticmethod
    def read_doubts(cursor):
        doubts = [(cursor.one_of(cursor.u8(), (1, 2, 3), "doubt"),
                   PostgresRecord.read_path(cursor, 1), cursor.varint())
                  for _ in range(cursor.varint(0, PostgresRecord.DOUBTS_MAX))]
        return doubts, cursor.u64()

    @staticmethod
    def read_ranges(cursor):
        ranges = [(cursor.u32(), cursor.u64(), cursor.u64())
                  for _ in range(cursor.varint(0, PostgresRecord.RANGES_MAX))]
        timelines = [timeline for timeline, _, _ in ranges]
        cursor.require(timelines == sorted(set(timelines), reverse=True), "timelines ascend")
        cursor.require(all(start <= end for _, start, end in ranges), "a range is backwards")
        return ranges

    @staticmethod
    def read_tablespaces(cursor):
        tablespaces = [(cursor.u32(), PostgresRecord.read_path(cursor))
                       for _ in range(cursor.varint(0, PostgresRecord.TABLESPACES_MAX))]
        oids = [oid for oid, _ in tablespaces]
        cursor.require(oids == sorted(set(oids)), "tablespaces are not ascending")
        return tablespaces


def check_session(body, what):
    """Section 3, "Session"."""
    parse_fields(body, what, {0x8001: Cursor.id, 0x8002: Cursor.u64, 0x8003: Cursor.i64,
                              0x0004: Cursor.str, 0x0005: Cursor.u32})


# --- Section 4: packs --------------------------------------------------------------------------


def padme(length):
    """The padded length."""
    e = length.bit_length() - 1
    granule = 1 << max(0, e - e.bit_length())
    return -(-length // granule) * granule


class Pack:
    """One pack: opened whole, so that a blob is only read from a pack that holds together."""

    HEADER, TRAILER = 160, 32

    def __init__(self, keys, repository_id, pack_id, path, what):
        require(os.path.getsize(path) <= PACK_MAX, f"{what}: is too long")
        with open(path, "rb") as file:
            data = file.read()
        require(len(data) >= Pack.HEADER + Pack.TRAILER, f"{what}: ends early")
        check_sum(data, what)
        self.repository_id, self.id, self.path, self.what = repository_id, pack_id, path, what
        self.length = len(data)
        self.read_header(keys, Cursor(data[:Pack.HEADER], what))
        self.read_directory(data)

    def read_header(self, keys, cursor):
        cursor.require(cursor.take(8) == b"PVPACK\0\1", "magic differs")
        cursor.one_of(cursor.u16(), (1,), "version")
        self.content = cursor.one_of(cursor.u8(), (1, 2), "content")
        self.cipher = cursor.one_of(cursor.u8(), (1, 2), "cipher")
        self.key_mode = cursor.one_of(cursor.u8(), (1, 2), "key mode")
        cursor.zeros(3)
        cursor.require(cursor.take(32) == self.id, "is named after another pack")
        commitment = cursor.take(32)
        cursor.require(self.key_mode == 1, "is sealed to a public key, whose secret is not here")
        cursor.zeros(80)
        self.key = keys.pack_key(self.content, self.id, commitment, self.what)

    def read_directory(self, data):
        trailer = Cursor(data[-Pack.TRAILER:], self.what)
        trailer.require(trailer.take(8) == b"PVPACKE1", "magic of the trailer differs")
        offset, stored, count = trailer.u64(), trailer.u32(), trailer.u32()
        end = offset + stored
        trailer.require(1 <= count <= BLOBS_MAX, "number of blobs is out of bounds")
        trailer.require(offset >= Pack.HEADER and stored >= 16 and end <= len(data) - Pack.TRAILER,
                        "directory is out of bounds")
        trailer.require(padme(end + Pack.TRAILER) == len(data), "length is not the padded length")
        trailer.require(not any(data[end:-Pack.TRAILER]), "padding is not zero")
        record = Blob(self.id, DIRECTORY_RECORD, 0, stored, stored - 16,
                      H(b"", data[:Pack.HEADER]), count, offset)
        cursor = Cursor(self.open(record, data[offset:end]), f"{self.what}, directory")
        self.blobs = parse_blobs(cursor, count, self.content)
        cursor.end()
        last = self.blobs[-1]
        cursor.require(last.offset + last.stored == offset, "blobs do not end where it begins")

    def open(self, blob, sealed):
        """Opens the bytes of a blob. The authenticated data say all of it (136 bytes)."""
        associated = self.repository_id + self.id + struct.pack(
            "<IQBBHII", blob.ordinal, blob.offset, blob.type, blob.encoding, 0,
            blob.stored, blob.plain) + blob.id + blob.base
        try:
            return SODIUM.open_box(self.cipher, self.key, blob.ordinal, associated, sealed)
        except Damaged as problem:
            raise Damaged(f"{self.what}, blob {blob.ordinal}: {problem}") from None

    def encoded(self, blob):
        with open(self.path, "rb") as file:
            file.seek(blob.offset)
            return self.open(blob, file.read(blob.stored))

    def summary(self):
        return PackSummary(self.content, self.cipher, self.key_mode, self.length, self.blobs)


# --- Section 5: maps and directories -----------------------------------------------------------


@dataclasses.dataclass
class Extent:
    """A run of a stream: a hole when there is no chunk id."""
    length: int
    id: bytes = None
    offset: int = 0
    whole: bool = False
    gate: bytes = b""
    crc32c: int = 0


def parse_span_node(data, what):
    cursor, extents = Cursor(data, what), []
    cursor.require(cursor.u8() == 1, "is no span node")
    cursor.zeros(1, "flags")
    for _ in range(cursor.varint(1, EXTENTS_MAX)):
        kind = cursor.one_of(cursor.u8(), (0, 1, 2), "extent")
        if kind == 0:
            extents.append(Extent(cursor.varint(1, SPAN)))
            continue
        chunk_id = cursor.id()
        offset = cursor.varint(0, CHUNK_MAX) if kind == 2 else 0
        extents.append(Extent(cursor.varint(1, CHUNK_MAX), chunk_id, offset, kind == 1,
                              cursor.take(16), cursor.u32()))
    cursor.end()
    return extents


def parse_node_list(data, what):
    cursor = Cursor(data, what)
    cursor.require(cursor.u8() == 2, "is no node list")
    cursor.zeros(1, "flags")
    nodes = [cursor.id() for _ in range(cursor.varint(1, LIST_NODES))]
    cursor.end()
    return nodes


class Map:
    """A map root and the length that stands beside it; reads the stream that they describe."""

    EMPTY, INLINE, NODES, LISTS = 0, 1, 2, 3

    def __init__(self, cursor, length, blob_type):
        self.length, self.blob_type, self.inline, self.ids = length, blob_type, b"", []
        self.form = cursor.one_of(cursor.u8(), (0, 1, 2, 3), "form of a map root")
        spans = -(-length // SPAN)
        cursor.require((self.form == Map.EMPTY) == (length == 0), "form does not fit the length")
        if self.form == Map.INLINE:
            cursor.require(spans == 1, "one span node for several spans")
            self.inline = cursor.str(CHUNK_MAX)
        elif self.form == Map.NODES:
            self.ids = [cursor.id() for _ in range(cursor.varint(1, 256))]
            cursor.require(len(self.ids) == spans, "number of spans differs")
        elif self.form == Map.LISTS:
            self.ids = [cursor.id() for _ in range(cursor.varint(1, LIST_NODES))]
            cursor.require(len(self.ids) == -(-spans // LIST_NODES), "number of lists differs")

    def node_ids(self, repository):
        if self.form == Map.NODES:
            return self.ids
        lists = [parse_node_list(repository.chunk(i, METADATA), "node list") for i in self.ids]
        require(all(len(nodes) == LIST_NODES for nodes in lists[:-1]), "node list is not full")
        nodes = [node for nodes in lists for node in nodes]
        require(len(nodes) == -(-self.length // SPAN), "node lists: number of spans differs")
        return nodes

    def span_nodes(self, repository):
        """The extents of every span."""
        if self.form == Map.INLINE:
            yield parse_span_node(self.inline, "span node")
        elif self.form != Map.EMPTY:
            for number, node in enumerate(self.node_ids(repository)):
                if node == ZERO_ID:
                    yield [Extent(min(SPAN, self.length - number * SPAN))]
                else:
                    yield parse_span_node(repository.chunk(node, METADATA), f"span node {number}")

    def pieces(self, repository):
        """(position, bytes) of everything that is no hole, in order, each proved."""
        position = 0
        for extents in self.span_nodes(repository):
            end = min(position // SPAN * SPAN + SPAN, self.length)
            for extent in extents:
                if extent.id is not None:
                    yield position, repository.extent(extent, self.blob_type)
                position += extent.length
            require(position == end, "the extents of a span do not add up to its length")

    def read(self, repository):
        data = bytearray(self.length)
        for position, piece in self.pieces(repository):
            data[position:position + len(piece)] = piece
        return bytes(data)


class Entry:
    """Section 5, "Directory stream": one entry."""

    FILE, DIRECTORY, LINK, FIFO, SOCKET, CHARACTER_DEVICE, BLOCK_DEVICE = range(1, 8)

    def __init__(self, cursor):
        begin = cursor.at
        self.name = cursor.str(255)
        cursor.require(self.name not in (b"", b".", b"..") and not set(self.name) & set(b"/\0"),
                       f"bad name {self.name}")
        self.type = cursor.one_of(cursor.u8(), range(1, 8), "type of an entry")
        cursor.one_of(cursor.u8(), (0, 1, 2, 3), "flags of an entry")
        self.mode = cursor.varint(0, 0o7777)
        self.uid, self.gid = cursor.varint(), cursor.varint()
        self.user, self.group = cursor.str(255), cursor.str(255)
        self.mtime, self.ctime = cursor.i64(), cursor.i64()
        self.device, self.inode, self.links = cursor.varint(), cursor.varint(), cursor.varint()
        self.read_content(cursor)
        self.attributes = [(cursor.str(64 << 10), cursor.str(64 << 10))
                           for _ in range(cursor.varint(0, 1024))]
        names = [name for name, _ in self.attributes]
        cursor.require(names == sorted(set(names)), "attributes are not ascending")
        self.read_extension(cursor)
        cursor.require(cursor.at - begin <= ENTRY_MAX, "entry is too long")

    def read_extension(self, cursor):
        fields = parse_fields(cursor.str(ENTRY_MAX), "extension", {
            0x0010: Entry.read_sqlite, 0x0011: lambda c: [c.u32() for _ in range(5)],
            0x0012: Cursor.u64, 0x0013: Cursor.u32})
        self.database, self.wal, self.pages_changed, self.crc32c = fields.values()
        cursor.require(self.crc32c is None or self.type == Entry.FILE, "checksum of no file")
        if self.database:
            cursor.require(self.type == Entry.FILE, "a database that is no file")
            cursor.require(not self.wal or self.database[0] == 2, "position without a WAL")
        else:
            cursor.require(self.wal is None and self.pages_changed is None, "part of a record")

    @staticmethod
    def read_sqlite(cursor):
        """Journal, flags, pages, change counter, schema cookie, user version, application id."""
        journal = cursor.one_of(cursor.u8(), (1, 2), "journal")
        flags = cursor.one_of(cursor.u8(), (0, 1), "flags of a database")
        return (journal, flags, *(cursor.u32() for _ in range(5)))

    def read_content(self, cursor):
        if self.type == Entry.FILE:
            size = cursor.varint(0, FILE_MAX)
            cursor.one_of(cursor.u8(), (0, *range(9, 17)), "page size")
            self.map = Map(cursor, size, DATA)
        elif self.type == Entry.DIRECTORY:
            self.map = Map(cursor, cursor.varint(1, FILE_MAX), METADATA)
        elif self.type == Entry.LINK:
            self.target = cursor.str(4095)
            cursor.require(self.target, "link to nothing")
        elif self.type in (Entry.CHARACTER_DEVICE, Entry.BLOCK_DEVICE):
            self.major, self.minor = cursor.varint(), cursor.varint()


def read_directory(repository, directory, what):
    """The entries of the directory that the map describes; even an empty one has its version."""
    cursor = Cursor(directory.read(repository), what)
    cursor.one_of(cursor.u8(), (1,), "version")
    entries = []
    while cursor.at < len(cursor.data):
        entry = Entry(cursor)
        cursor.require(not entries or entries[-1].name < entry.name, "names are not ascending")
        entries.append(entry)
    return entries


# --- Section 1: the repository -----------------------------------------------------------------


class Repository:
    """An opened repository, and the way from an id to bytes."""

    CACHE_MAX = 64 * MIB

    def __init__(self, path, credential):
        self.path, self.foreign = path, 0
        if not os.path.isfile(os.path.join(path, "config")):
            raise NotARepository(f"{path}: no repository here")
        self.keys = Keys(self.master(credential))
        self.repository_id = bytes(16)
        self.config = Config(self.sealed(CONFIG, ZERO_ID, "config"))
        self.repository_id = self.config.repository_id
        self.open_packs, self.locations, self.proved = {}, None, set()
        self.cache, self.cached = collections.OrderedDict(), 0

    def read(self, name, limit):
        path = os.path.join(self.path, name)
        require(os.path.getsize(path) <= limit, f"{name}: is too long")
        with open(path, "rb") as file:
            return file.read()

    def names(self, folder, digits=64):
        """The ids of the objects in a folder, ascending; counts what else is there."""
        ids = []
        for name in sorted(os.listdir(os.path.join(self.path, folder))):
            if re.fullmatch(f"[0-9a-f]{{{digits}}}", name):
                ids.append(bytes.fromhex(name))
            else:
                self.foreign += 1
        return ids

    def slot(self, slot_id):
        name = f"keys/{slot_id.hex()}"
        return KeySlot(slot_id, self.read(name, SLOT_FILE_MAX), name)

    def master(self, credential):
        if credential.kind == "master":
            return credential.secret
        slots = self.names("keys", 32)
        require(len(slots) <= SLOTS_MAX, "too many key slots")
        damage = None
        for slot_id in slots:
            try:
                master = self.slot(slot_id).master(credential)
            except Damaged as problem:
                damage = problem
                continue
            if master:
                return master
        raise damage or WrongCredential("no key slot opens with this credential")

    def sealed(self, kind, object_id, name):
        data = self.read(name, BODY_MAX + 112)
        return open_sealed(self.keys, self.repository_id, kind, object_id, data, name)

    def snapshot(self, snapshot_id):
        name = f"snapshots/{snapshot_id.hex()}"
        body = self.sealed(SNAPSHOT, snapshot_id, name)
        return Snapshot(self.keys, self.repository_id, snapshot_id, body, name)

    def snapshots(self):
        return sorted(map(self.snapshot, self.names("snapshots")), key=lambda s: s.committed)

    def index(self, index_id):
        name = f"index/{index_id.hex()}"
        return IndexObject(self.sealed(INDEX, index_id, name), name)

    def indexes(self):
        """The index objects that no other one replaces: id -> index object."""
        found = {index_id: self.index(index_id) for index_id in self.names("index")}
        replaced = {index_id for index in found.values() for index_id in index.replaced}
        return {i: index for i, index in found.items() if i not in replaced}

    def pack_ids(self):
        for byte in range(256):
            for pack_id in self.names(f"packs/{byte:02x}"):
                if pack_id[0] == byte:
                    yield pack_id
                else:
                    self.foreign += 1

    def pack(self, pack_id):
        if pack_id not in self.open_packs:
            name = f"packs/{pack_id[:1].hex()}/{pack_id.hex()}"
            path = os.path.join(self.path, name)
            self.open_packs[pack_id] = Pack(self.keys, self.repository_id, pack_id, path, name)
        return self.open_packs[pack_id]

    def locate(self, chunk_id):
        """(pack, blob) of a chunk, by the index objects; the pack must agree with its one."""
        if self.locations is None:
            self.locations = {blob.id: (pack_id, summary, blob.ordinal)
                              for index in self.indexes().values()
                              for pack_id, summary in index.packs.items()
                              for blob in summary.blobs}
        require(chunk_id in self.locations, f"chunk {chunk_id.hex()}: no index object names it")
        pack_id, summary, ordinal = self.locations[chunk_id]
        pack = self.pack(pack_id)
        require(pack.summary() == summary, f"{pack.what}: is not what its index object says")
        return pack, pack.blobs[ordinal]

    def decode(self, pack, blob):
        """The plain bytes of a blob, proved by their id (sections 4 and 5)."""
        encoded = pack.encoded(blob)
        if blob.encoding == RAW:
            plain = encoded
        elif blob.encoding == ZSTD:
            plain = ZSTD_LIBRARY.decode(encoded, blob.plain)
        else:
            _, base = self.locate(blob.base)
            if blob.encoding == ZSTD_DICTIONARY:
                require(base.type == DICTIONARY, f"{pack.what}: dictionary is none")
                plain = ZSTD_LIBRARY.decode(encoded, blob.plain,
                                            dictionary=self.chunk(blob.base, DICTIONARY))
            else:
                require(base.encoding != ZSTD_DELTA, f"{pack.what}: delta of a delta")
                require(base.type == blob.type, f"{pack.what}: base of another type")
                plain = ZSTD_LIBRARY.decode(encoded, blob.plain,
                                            prefix=self.chunk(blob.base, blob.type))
        require(H(self.keys.id[blob.type], plain) == blob.id,
                f"{pack.what}, blob {blob.ordinal}: chunk id differs")
        return plain

    def chunk(self, chunk_id, blob_type):
        if chunk_id in self.cache:
            self.cache.move_to_end(chunk_id)
            kind, plain = self.cache[chunk_id]
        else:
            pack, blob = self.locate(chunk_id)
            kind, plain = blob.type, self.decode(pack, blob)
            self.cache[chunk_id] = kind, plain
            self.cached += len(plain)
            while self.cached > Repository.CACHE_MAX:
                self.cached -= len(self.cache.popitem(last=False)[1][1])
        require(kind == blob_type, f"chunk {chunk_id.hex()}: is of another type")
        return plain

    def extent(self, extent, blob_type):
        """The bytes of an extent, proved by gate and crc32c; the same extent only once."""
        plain = self.chunk(extent.id, blob_type)
        what = f"chunk {extent.id.hex()}"
        if extent.whole:
            require(extent.length == len(plain), f"{what}: extent has another length")
        require(extent.offset + extent.length <= len(plain), f"{what}: extent is out of bounds")
        data = plain[extent.offset:extent.offset + extent.length]
        proof = (extent.id, extent.offset, extent.length, extent.gate, extent.crc32c)
        if proof not in self.proved:
            require(XXHASH.gate(self.keys.gate, data) == extent.gate, f"{what}: gate differs")
            require(crc32c(data) == extent.crc32c, f"{what}: crc32c differs")
            self.proved.add(proof)
        return data


# --- The commands ------------------------------------------------------------------------------


class Restore:
    """Writes a snapshot below a new folder."""

    def __init__(self, repository, target):
        self.repository, self.target, self.linked = repository, os.fsencode(target), {}
        self.left_out = set()

    def run(self, snapshot):
        os.mkdir(self.target)
        if snapshot.postgres:
            self.left_out.add(os.path.join(self.target, b"backup_manifest.original"))
        self.directory(snapshot.root, self.target, 0)

    def directory(self, directory, path, depth):
        require(depth <= DEPTH_MAX, "directories are too deep")
        for entry in read_directory(self.repository, directory, os.fsdecode(path)):
            if os.path.join(path, entry.name) not in self.left_out:
                self.entry(entry, os.path.join(path, entry.name), depth)

    def entry(self, entry, path, depth):
        same = (entry.device, entry.inode)
        if entry.type != Entry.DIRECTORY and entry.links > 1:
            if same in self.linked:
                os.link(self.linked[same], path, follow_symlinks=False)
                return
            self.linked[same] = path
        if entry.type == Entry.FILE:
            self.file(entry, path)
        elif entry.type == Entry.DIRECTORY:
            os.mkdir(path, 0o700)
            self.directory(entry.map, path, depth + 1)
        elif entry.type == Entry.LINK:
            os.symlink(entry.target, path)
        elif not self.special(entry, path):
            return
        self.attributes(entry, path)

    def file(self, entry, path):
        with open(path, "xb") as file:
            for position, piece in entry.map.pieces(self.repository):
                file.seek(position)
                file.write(piece)
            file.truncate(entry.map.length)

    def special(self, entry, path):
        kinds = {Entry.FIFO: stat.S_IFIFO, Entry.SOCKET: stat.S_IFSOCK,
                 Entry.CHARACTER_DEVICE: stat.S_IFCHR, Entry.BLOCK_DEVICE: stat.S_IFBLK}
        device = os.makedev(entry.major, entry.minor) if hasattr(entry, "major") else 0
        try:
            os.mknod(path, kinds[entry.type] | 0o600, device)
        except PermissionError:
            print(f"{os.fsdecode(path)}: not made: only root may", file=sys.stderr)
            return False
        return True

    def attributes(self, entry, path):
        if os.geteuid() == 0:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        for name, value in entry.attributes:
            try:
                os.setxattr(path, name, value, follow_symlinks=False)
            except OSError as problem:
                print(f"{os.fsdecode(path)}: {problem}", file=sys.stderr)
        if entry.type != Entry.LINK:
            os.chmod(path, entry.mode)
        os.utime(path, ns=(entry.mtime, entry.mtime), follow_symlinks=False)


class Verify:
    """Reads every object, every blob and every extent; prints what must be refused."""

    def __init__(self, repository):
        self.repository, self.problems, self.counts = repository, 0, collections.Counter()

    def attempt(self, kind, what, action):
        self.counts[kind] += 1
        try:
            return action()
        except (Damaged, OSError) as problem:
            self.problems += 1
            print(f"{what}: {problem}", file=sys.stderr)
            return None

    def run(self):
        repository = self.repository
        for slot_id in repository.names("keys", 32):
            self.attempt("key slots", f"keys/{slot_id.hex()}", lambda: repository.slot(slot_id))
        self.attempt("sets of index objects", "index", self.indexes)
        for pack_id in repository.pack_ids():
            self.attempt("packs", f"pack {pack_id.hex()}", lambda: self.pack(pack_id))
        for session_id in repository.names("sessions"):
            name = f"sessions/{session_id.hex()}"
            self.attempt("sessions", name, lambda: check_session(
                repository.sealed(SESSION, session_id, name), name))
        for snapshot_id in repository.names("snapshots"):
            name = f"snapshots/{snapshot_id.hex()}"
            snapshot = self.attempt("snapshots", name, lambda: repository.snapshot(snapshot_id))
            if snapshot:
                self.attempt("trees", name, lambda: self.tree(snapshot.root, name, 0))
        self.counts["foreign files"] = repository.foreign
        print(", ".join(f"{count} {kind}" for kind, count in self.counts.items()))
        return self.problems == 0

    def indexes(self):
        for index_id, index in self.repository.indexes().items():
            for pack_id, summary in index.packs.items():
                self.attempt("indexed packs", f"index/{index_id.hex()}", lambda: require(
                    self.repository.pack(pack_id).summary() == summary,
                    f"pack {pack_id.hex()} is not what the index object says"))

    def pack(self, pack_id):
        pack = self.repository.pack(pack_id)
        for blob in pack.blobs:
            self.attempt("blobs", pack.what, lambda: self.repository.decode(pack, blob))

    def tree(self, directory, path, depth):
        require(depth <= DEPTH_MAX, "directories are too deep")
        for entry in read_directory(self.repository, directory, path):
            name = f"{path}/{os.fsdecode(entry.name)}"
            if entry.type == Entry.FILE:
                self.attempt("files", name, lambda: collections.deque(
                    entry.map.pieces(self.repository), maxlen=0))
            elif entry.type == Entry.DIRECTORY:
                self.attempt("directories", name, lambda: self.tree(entry.map, name, depth + 1))


def find_snapshot(repository, text):
    """The snapshot whose id begins with the text, or the latest."""
    snapshots = repository.snapshots()
    found = snapshots[-1:] if text == "latest" else [
        s for s in snapshots if s.id.hex().startswith(text)]
    if len(found) != 1:
        raise SystemExit(f"reader.py: {len(found)} snapshots are {text}")
    return found[0]


def list_snapshots(repository):
    for snapshot in repository.snapshots():
        when = datetime.datetime.fromtimestamp(snapshot.committed // 10**9, datetime.timezone.utc)
        paths = " ".join(os.fsdecode(path) for path in snapshot.paths)
        print(snapshot.id.hex(), when.isoformat(), snapshot.kind, os.fsdecode(snapshot.host), paths)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repo", required=True)
    credential = parser.add_mutually_exclusive_group(required=True)
    credential.add_argument("--password-file")
    credential.add_argument("--key-file")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("verify")
    restore = commands.add_parser("restore")
    restore.add_argument("snapshot")
    restore.add_argument("target")
    return parser.parse_args()


def run(arguments):
    if arguments.password_file:
        credential = Credential.from_password_file(arguments.password_file)
    else:
        credential = Credential.from_key_file(arguments.key_file)
    repository = Repository(arguments.repo, credential)
    if arguments.command == "list":
        list_snapshots(repository)
    elif arguments.command == "restore":
        Restore(repository, arguments.target).run(find_snapshot(repository, arguments.snapshot))
    elif not Verify(repository).run():
        return 20
    return 0


def main():
    sys.setrecursionlimit(10 * DEPTH_MAX)
    try:
        return run(parse_arguments())
    except (Damaged, WrongCredential, NotARepository) as problem:
        print(f"reader.py: {problem}", file=sys.stderr)
        return {Damaged: 20, WrongCredential: 12, NotARepository: 10}[type(problem)]


if __name__ == "__main__":
    sys.exit(main())
