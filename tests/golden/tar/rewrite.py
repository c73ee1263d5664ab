#!/usr/bin/env python3
"""Writes postgresql-17-members.txt from base.tar of `pg_basebackup -Ft -X fetch`: a few members as
the server wrote them, and its end mark. The test's expectations follow what this prints.

  tests/golden/tar/rewrite.py BASE.TAR
"""

import os
import sys
import tarfile

WANTED = ("backup_label", "tablespace_map", "pg_notify", "PG_VERSION", "global/pg_filenode.map",
          "./pg_wal/archive_status", "pg_logical/replorigin_checkpoint")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(sys.argv[1], "rb") as file:
        whole = file.read()
    lines = []
    with tarfile.open(sys.argv[1]) as archive:
        for member in archive:
            if member.name not in WANTED and not member.name.endswith(".done"):
                continue
            end = member.offset_data + (member.size + 511) // 512 * 512
            print(member.type.decode(), oct(member.mode), member.uid, member.gid, member.size, member.name)
            lines.append(f"# {member.name}")
            lines += [whole[at:at + 32].hex() for at in range(member.offset, end, 32)]
    assert whole[-1024:] == bytes(1024), "no end mark"
    lines.append("# end mark")
    lines += [bytes(32).hex()] * 32
    with open(os.path.join(here, "postgresql-17-members.txt"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


main()
