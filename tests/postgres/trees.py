"""Two data directories compared, page by page."""

import hashlib
import os
import stat

PAGE = 8192
MANIFEST = "backup_manifest"


def entries(root):
    """Path -> what os.stat says, of all below root; tablespaces as if they were folders."""
    found = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in os.scandir(os.path.join(root, folder)):
            path = os.path.join(folder, entry.name)
            info = entry.stat(follow_symlinks=folder == "pg_tblspc")
            found[path] = info
            if stat.S_ISDIR(info.st_mode):
                pending.append(path)
    return found


def _first_difference(ours, theirs):
    """Of two files: what differs, or None."""
    with open(ours, "rb") as left, open(theirs, "rb") as right:
        page = 0
        while True:
            a, b = left.read(128 * PAGE), right.read(128 * PAGE)
            if a != b:
                break
            if not a:
                return None
            page += 128
    if len(a) != len(b):
        return f"{os.path.getsize(ours)} bytes, not {os.path.getsize(theirs)}"
    pages = [page + i for i in range((len(a) + PAGE - 1) // PAGE)
             if a[i * PAGE:(i + 1) * PAGE] != b[i * PAGE:(i + 1) * PAGE]]
    return f"pages {pages[:10]} differ"


def differences(ours, theirs, ignore=(MANIFEST,)):
    """One line for each path that is not the same in both: name, kind, mode, content.

    Empty: the same trees, byte for byte.
    """
    mine, other = entries(ours), entries(theirs)
    found = [f"{path}: only in {ours}" for path in sorted(mine.keys() - other.keys())]
    found += [f"{path}: only in {theirs}" for path in sorted(other.keys() - mine.keys())]
    for path in sorted(mine.keys() & other.keys()):
        a, b = mine[path], other[path]
        if a.st_mode != b.st_mode:
            found.append(f"{path}: mode {a.st_mode:o}, not {b.st_mode:o}")
        elif stat.S_ISREG(a.st_mode) and path not in ignore:
            what = _first_difference(os.path.join(ours, path), os.path.join(theirs, path))
            if what:
                found.append(f"{path}: {what}")
    ignored = [f"{path}:" for path in ignore]
    return [line for line in found if not line.startswith(tuple(ignored))]


def digests(root, ignore=(MANIFEST,)):
    """Path -> mode and hash, to compare with a state that is no longer there."""
    found = {}
    for path, info in entries(root).items():
        digest = None
        if stat.S_ISREG(info.st_mode) and path not in ignore:
            with open(os.path.join(root, path), "rb") as file:
                digest = hashlib.file_digest(file, "blake2b").hexdigest()
        found[path] = (info.st_mode, digest)
    return {path: found[path] for path in found.keys() - set(ignore)}
