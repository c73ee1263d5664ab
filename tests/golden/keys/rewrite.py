#!/usr/bin/env python3
"""Writes tests/golden/keys/v1 and tests/golden/objects/v1 from docs/format.md alone.

Shares no code with the program: derivation by hashlib's BLAKE2b, the rest by libsodium and libxxhash
through ctypes. Only for a format version that no repository uses yet.
"""
import ctypes
import hashlib
import pathlib
import struct

sodium = ctypes.CDLL("libsodium.so.23")
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = ctypes.c_uint64
assert sodium.sodium_init() >= 0
GOLDEN = pathlib.Path(__file__).resolve().parent.parent

MASTER = bytes(range(32))
SALT = bytes([0x5A]) * 32
SLOT_ID = bytes([0x1D]) * 16
REPOSITORY = bytes([0x77]) * 16
KEY_FILE_SECRET = bytes([0xC3]) * 32
PASSPHRASE = "correct horse b\u00e4ttery".encode()


def H(key, data):
    return hashlib.blake2b(data, key=key, digest_size=32).digest()


def kdf(context, subkey, length=32):
    salt = struct.pack("<Q", subkey) + bytes(8)
    person = context.encode() + bytes(8)
    return hashlib.blake2b(key=MASTER, salt=salt, person=person, digest_size=length).digest()


def xxh3(data):
    return struct.pack("<Q", xxhash.XXH3_64bits(data, ctypes.c_size_t(len(data))))


def aead(function, key, nonce, plain, associated):
    out = ctypes.create_string_buffer(len(plain) + 16)
    length = ctypes.c_ulonglong()
    assert getattr(sodium, "crypto_aead_%s_encrypt" % function)(
        out, ctypes.byref(length), plain, ctypes.c_ulonglong(len(plain)),
        associated, ctypes.c_ulonglong(len(associated)), None, nonce, key) == 0
    return out.raw


def xchacha(*arguments):
    return aead("xchacha20poly1305_ietf", *arguments)


def argon2id(passphrase, salt, passes, memory):
    out = ctypes.create_string_buffer(32)
    assert sodium.crypto_pwhash(
        out, ctypes.c_ulonglong(32), passphrase, ctypes.c_ulonglong(len(passphrase)), salt[:16],
        ctypes.c_ulonglong(passes), ctypes.c_size_t(memory), 2) == 0
    return out.raw


def sign_keypair(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    assert sodium.crypto_sign_seed_keypair(public, secret, seed) == 0
    return public.raw, secret.raw


def write(name, title, rows):
    """Rows are (comment, bytes); long ones go on several lines, the comment on the first."""
    lines = ["# " + title]
    for comment, data in rows:
        pieces = [data[i:i + 32].hex() for i in range(0, len(data), 32)] or [""]
        lines.append("%s  # %s" % (pieces[0], comment))
        lines += pieces[1:]
    (GOLDEN / name).write_text("\n".join(lines) + "\n")


def pack_commitment(key):
    return H(H(key, b"pagevault pack key v1" + SALT), b"pagevault key commitment v1")


def object_key(kind):
    return H(kdf("pv_objs_", kind), b"pagevault object key v1" + SALT)


def derivation():
    public, _ = sign_keypair(kdf("pv_sign_", 1))
    rows = [
        ("K_data_id", kdf("pv_ids__", 1)),
        ("K_meta_id", kdf("pv_ids__", 2)),
        ("K_snapshot_id", kdf("pv_ids__", 3)),
        ("K_gate", b"".join(kdf("pv_gate_", n, 64) for n in (1, 2, 3))),
        ("K_cut", kdf("pv_cuts_", 1)),
        ("commitment of a data pack's key, salt 5a..", pack_commitment(kdf("pv_pack_", 1))),
        ("commitment of a metadata pack's key", pack_commitment(kdf("pv_pack_", 2))),
    ]
    for kind in range(1, 8):
        rows.append(("commitment of the key of an object of type %d" % kind,
                     H(object_key(kind), b"pagevault key commitment v1")))
    rows.append(("public key of K_sign", public))
    write("keys/v1/derivation.txt", "Every key of the master secret 00 01 .. 1f; docs/format.md, 2.", rows)


def text(value):
    return bytes([len(value)]) + value


def slot(name, title, kind, kek, kdf_fields, role=1):
    nonce = bytes([0x4E]) * 24
    commitment = H(kek, b"pagevault slot commitment v1")
    payload = bytes([role]) + MASTER + struct.pack("<q", 1_700_000_000_000_000_000)
    payload = (payload + text(b"laptop") + text(b"db1")).ljust(256, b"\0")
    rows = [
        ("magic", b"PVKEYSLT"),
        ("version, kind, cipher, flags", struct.pack("<HBBI", 1, kind, 2, 0)),
        ("KDF, passes, memory", struct.pack("<IIQ", *kdf_fields)),
        ("salt", SALT),
        ("nonce", nonce),
        ("commitment", commitment),
        ("no sealed KEK", bytes(80)),
        ("plain length of the payload", struct.pack("<I", 256)),
    ]
    header = b"".join(data for _, data in rows)
    rows.append(("payload: role %d, label laptop, host db1" % role,
                 xchacha(kek, nonce, payload, header + SLOT_ID)))
    rows.append(("checksum", xxh3(b"".join(data for _, data in rows))))
    write("keys/v1/" + name, title, rows)


def slots():
    kek = H(KEY_FILE_SECRET, b"pagevault slot kek v1" + SALT)
    slot("slot_key_file.txt", "Slot 1d.. for the key file c3..; docs/format.md, 2.", 2, kek, (0, 0, 0))
    slot("slot_unknown_role.txt", "The same with a role of a newer version.", 2, kek, (0, 0, 0), role=2)
    cost = (2, 8 << 20)
    slot("slot_passphrase.txt", "Slot 1d.. for the passphrase 'correct horse b\u00e4ttery'.", 1,
         argon2id(PASSPHRASE, SALT, *cost), (1,) + cost)


def fields(*pairs):
    return b"".join(struct.pack("<HI", tag, len(value)) + value for tag, value in sorted(pairs))


def sealed(name, kind, cipher, repository, identifier, body):
    key = object_key(kind)
    rows = [
        ("magic", b"PVOBJECT"),
        ("version, type, cipher, flags", struct.pack("<HBBI", 1, kind, cipher, 0)),
        ("salt", SALT),
        ("commitment", H(key, b"pagevault key commitment v1")),
        ("length of the body", struct.pack("<Q", len(body))),
    ]
    header = b"".join(data for _, data in rows)
    function, nonce = {1: ("aes256gcm", bytes(12)), 2: ("xchacha20poly1305_ietf", bytes(24))}[cipher]
    rows.append(("sealed body", aead(function, key, nonce, body, repository + identifier + header)))
    rows.append(("checksum", xxh3(b"".join(data for _, data in rows))))
    write("objects/v1/" + name, "Master secret 00 01 .. 1f; docs/format.md, 3.", rows)


def objects():
    chunker = lambda *sizes: struct.pack("<BIII", 1, *(size * 1024 for size in sizes))
    config = fields(
        (0x8001, REPOSITORY), (0x8002, struct.pack("<q", 1_700_000_000_000_000_000)),
        (0x8003, chunker(16, 64, 256)), (0x8004, chunker(32, 64, 128)),
        (0x8005, struct.pack("<I", 64 << 20)), (0x8006, struct.pack("<I", 32 << 20)),
        (0x8007, b"\1" + bytes(32)), (0x8008, bytes(8)), (0x0009, text(b"golden")))
    sealed("config_aes256gcm.txt", 1, 1, bytes(16), bytes(32), config)
    sealed("config_xchacha20poly1305.txt", 1, 2, bytes(16), bytes(32), config)
    session = fields((0x8001, bytes([0x5E]) * 32), (0x8002, struct.pack("<Q", 3)),
                     (0x8003, struct.pack("<q", -5)), (0x0004, text(b"db1")),
                     (0x0005, struct.pack("<I", 4321)))
    sealed("session.txt", 6, 2, REPOSITORY, bytes([0x66]) * 32, session)
    body = snapshot()
    sealed("snapshot.txt", 5, 2, REPOSITORY, H(kdf("pv_ids__", 3), body), body)


def snapshot():
    signed = fields(
        (0x8001, b"\2"), (0x8002, struct.pack("<q", 1000)), (0x8003, struct.pack("<q", 2000)),
        (0x8004, text(b"db1")), (0x8005, text(b"postgres")),
        (0x8006, b"\1" + text(b"/srv/a.db")), (0x8007, b"\2" + text(b"daily") + text(b"prod")),
        (0x8008, b"\x80\x01" + b"\2\1" + bytes([0xB1]) * 32), (0x8009, bytes([0x99]) * 32),
        (0x800A, bytes([0xC1]) * 16 + struct.pack("<Q", 7) + bytes([0x98]) * 32),
        (0x800B, bytes([0x5E]) * 32), (0x000C, struct.pack("<Q", 4)),
        (0x000D, struct.pack("<12Q", *range(1, 13))), (0x000E, text(b"pagevault 0.1.0")),
        (0x000F, b"\1"))
    public, secret = sign_keypair(kdf("pv_sign_", 1))
    message = b"pagevault snapshot v1" + REPOSITORY + signed
    signature = ctypes.create_string_buffer(64)
    assert sodium.crypto_sign_detached(
        signature, None, message, ctypes.c_ulonglong(len(message)), secret) == 0
    return struct.pack("<I", len(signed)) + signed + b"\1" + public + signature.raw


derivation()
slots()
objects()
