"""What a step did to a file or a folder, kept as the changed pages, so that it is done again quickly."""

import filecmp
import os
import struct

BLOCK = 1 << 20
SIZE = struct.Struct("<Q")  # Of the file after the step.
RECORD = struct.Struct("<QI")  # Offset, length; the bytes follow.
DELETED = "deleted-files"


def write(old_path, new_path, patch_path, page_size):
    """Writes the pages of new_path that differ from old_path, which may be missing; returns how many."""
    changed = 0
    with open(old_path if os.path.exists(old_path) else os.devnull, "rb") as old, \
            open(new_path, "rb") as new, open(patch_path, "wb") as patch:
        patch.write(SIZE.pack(os.path.getsize(new_path)))
        offset = 0
        while block := new.read(BLOCK):
            before = old.read(BLOCK)
            for at in range(0, len(block) if block != before else 0, page_size):
                page = block[at:at + page_size]
                if page != before[at:at + page_size]:
                    patch.write(RECORD.pack(offset + at, len(page)) + page)
                    changed += 1
            offset += len(block)
    return changed


def apply(patch_path, path):
    """Brings the file, which may be missing, to the state after the step."""
    with open(patch_path, "rb") as patch, open(path, "r+b" if os.path.exists(path) else "wb") as file:
        size = SIZE.unpack(patch.read(SIZE.size))[0]
        while head := patch.read(RECORD.size):
            offset, length = RECORD.unpack(head)
            file.seek(offset)
            file.write(patch.read(length))
        file.truncate(size)


def names_below(folder):
    """Paths of the files below folder, relative to it."""
    return sorted(os.path.relpath(os.path.join(directory, name), folder)
                  for directory, _, names in os.walk(folder) for name in names)


def write_folder(old, new, patches, page_size):
    """Writes a patch below `patches` for every file of `new` that differs; returns changed pages."""
    changed = 0
    names = names_below(new)
    for name in names:
        if os.path.exists(os.path.join(old, name)) and \
                filecmp.cmp(os.path.join(old, name), os.path.join(new, name), shallow=False):
            continue
        os.makedirs(os.path.dirname(os.path.join(patches, name)), exist_ok=True)
        changed += write(os.path.join(old, name), os.path.join(new, name),
                         os.path.join(patches, name), page_size)
    with open(os.path.join(patches, DELETED), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in sorted(set(names_below(old)) - set(names)))
    return changed


def apply_folder(patches, folder):
    for name in names_below(patches):
        if name != DELETED:
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            apply(os.path.join(patches, name), os.path.join(folder, name))
    with open(os.path.join(patches, DELETED), encoding="utf-8") as file:
        for line in file:
            os.unlink(os.path.join(folder, line.rstrip("\n")))
