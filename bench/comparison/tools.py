"""The tools, each as the commands its users would type. None where a tool has no such thing."""

import os
import shutil
import subprocess

from comparison import measure
from comparison.sqlite_data import DATABASE

PASSWORD = "correct horse battery staple"


class Tool:
    """A tool working in a scratch folder: repository, cache and home are all inside it."""

    name = ""
    saves_folders = True  # Or the source's database only.
    # Reads through io_uring, which the kernel does not count.
    reads_unseen = False

    def __init__(self, scratch):
        self.scratch = scratch
        self.repository = os.path.join(scratch, "repository")
        self.env = {"PATH": os.environ["PATH"], "HOME": scratch, "LC_ALL": "C.UTF-8",
                    "TMPDIR": scratch}
        self.password_file = os.path.join(scratch, "password")

    def fresh(self):
        """Empties the scratch folder and makes a new repository."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)
        # Each folder in it goes where nothing was deleted lately: ext4 passes over such inodes one by
        # one, which would cost every tool's restore half a second that no user has.
        subprocess.run(["chattr", "+T", self.scratch], check=False, stderr=subprocess.DEVNULL)
        with open(self.password_file, "w", encoding="ascii") as file:
            file.write(PASSWORD)
        self.init()

    def init(self):
        os.makedirs(self.repository)

    def backup(self, source):
        raise NotImplementedError

    def backup_fastest(self, _source):
        """With the least compression its users would choose."""
        return None

    def unchanged(self, source):
        return self.backup(source)

    def force(self, source):
        """A backup that reads every byte of the source again."""
        raise NotImplementedError

    def saves_live(self):
        """Whether `live` will work."""
        return False

    def live(self, source):
        """A backup of the source's database while it is in use."""
        raise NotImplementedError

    def bytes_read(self, result):
        """Of files, in a step that measure.run measured."""
        return result["read_bytes"]

    def restore(self, target):
        raise NotImplementedError

    def restore_cwd(self, _target):
        return None

    def restore_delta(self, _target):
        """The newest snapshot into a folder that holds an older one; writes what differs."""
        return None

    def restored(self, target, source):
        """The folder below target in which the source's files are after a restore."""
        return os.path.join(target, source.folder.lstrip("/"))

    def check(self):
        return None

    def check_data(self):
        return None


class Pagevault(Tool):
    name = "pagevault"
    reads_unseen = True

    def __init__(self, scratch, binary):
        super().__init__(scratch)
        self.binary = binary
        self.env.update(PAGEVAULT_REPOSITORY=self.repository,
                        PAGEVAULT_KEY_FILE=os.path.join(scratch, "key"),
                        PAGEVAULT_CACHE_DIR=os.path.join(scratch, "cache"))

    def version(self):
        return measure.output_of([self.binary, "--version"]).removeprefix("pagevault ")

    def init(self):
        measure.run([self.binary, "init"], self.env)

    def backup(self, source):
        return [self.binary, "backup", "files", source.folder]

    def backup_fastest(self, source):
        return [self.binary, "backup", "files", "--compression", "fastest", source.folder]

    def force(self, source):
        return [self.binary, "backup", "files", "--force", source.folder]

    def saves_live(self):
        return "backup sqlite" in measure.output_of([self.binary, "backup", "--help"])

    def live(self, source):
        return [self.binary, "backup", "sqlite", source.database]

    def restore(self, target):
        return [self.binary, "restore", "latest", "--target", target]

    def restore_delta(self, target):
        if "--delta" not in measure.output_of([self.binary, "restore", "--help"]):
            return None
        return [*self.restore(target), "--delta"]

    def check(self):
        return [self.binary, "check"]

    def check_data(self):
        return [self.binary, "check", "--read-data"]


class Restic(Tool):
    name = "restic"

    def __init__(self, scratch, binary):
        super().__init__(scratch)
        self.binary = binary
        self.env.update(RESTIC_REPOSITORY=self.repository, RESTIC_PASSWORD_FILE=self.password_file,
                        RESTIC_CACHE_DIR=os.path.join(scratch, "cache"))

    def version(self):
        return measure.output_of([self.binary, "version"]).split()[1]

    def init(self):
        measure.run([self.binary, "init"], self.env)

    def backup(self, source):
        return [self.binary, "backup", source.folder]

    def force(self, source):
        return [self.binary, "backup", "--force", source.folder]

    def restore(self, target):
        return [self.binary, "restore", "latest", "--target", target]

    def restore_delta(self, target):
        # Reads the target and fetches what differs, since 0.17. With if-changed it would do the same
        # to a file of another time stamp.
        return [*self.restore(target), "--overwrite", "always"]

    def check(self):
        return [self.binary, "check"]

    def check_data(self):
        return [self.binary, "check", "--read-data"]


class Borg(Tool):
    name = "borg"

    def __init__(self, scratch, prefix):
        super().__init__(scratch)
        self.prefix = prefix
        self.archives = 0
        self.env.update(BORG_REPO=self.repository, BORG_PASSPHRASE=PASSWORD,
                        BORG_BASE_DIR=os.path.join(scratch, "base"),
                        BORG_RELOCATED_REPO_ACCESS_IS_OK="yes")

    def version(self):
        return measure.output_of([*self.prefix, "--version"], self.env).split()[1]

    def init(self):
        self.archives = 0
        measure.run([*self.prefix, "init", "--encryption", "repokey-blake2"], self.env)

    def _create(self, source, *options):
        self.archives += 1
        return [*self.prefix, "create", "--compression", "zstd,1", *options,
                f"::snapshot-{self.archives}", source.folder]

    def backup(self, source):
        return self._create(source)

    def force(self, source):
        return self._create(source, "--files-cache", "disabled")

    def restore(self, target):
        return [*self.prefix, "extract", f"::snapshot-{self.archives}"]

    def restore_cwd(self, target):
        return target

    def check(self):
        return [*self.prefix, "check"]

    def check_data(self):
        return [*self.prefix, "check", "--verify-data"]


class Copy(Tool):
    """A full copy each time: the floor for time, the ceiling for space."""

    name = "cp"
    saves_folders = False
    suffix = ""

    def __init__(self, scratch):
        super().__init__(scratch)
        self.copies = 0

    def version(self):
        return measure.output_of(["cp", "--version"]).split("\n", maxsplit=1)[0].split()[-1]

    def fresh(self):
        self.copies = 0
        super().fresh()

    def _next(self):
        self.copies += 1
        return self._newest()

    def _newest(self):
        return os.path.join(self.repository, f"{self.copies}.db{self.suffix}")

    def backup(self, source):
        return ["cp", "--reflink=never", source.database, self._next()]

    def unchanged(self, source):
        return None

    def force(self, source):
        return None

    def restore(self, target):
        return ["cp", "--reflink=never", self._newest(), os.path.join(target, DATABASE)]

    def restored(self, target, _source):
        return target


class Zstd(Copy):
    name = "zstd -1 -T2"
    suffix = ".zst"

    def version(self):
        return measure.output_of(["zstd", "--version"]).split(" v")[1].split(",")[0]

    def backup(self, source):
        return ["zstd", "-q", "-1", "-T2", source.database, "-o", self._next()]

    def restore(self, target):
        return ["zstd", "-q", "-d", self._newest(), "-o", os.path.join(target, DATABASE)]

    def check_data(self):
        return ["zstd", "-q", "-t", self._newest()]


def restic_binary(peers_root):
    """restic is one static program, so the one of another Debian runs here as it is."""
    newest = os.path.join(peers_root, "usr/bin/restic")
    return newest if os.access(newest, os.X_OK) else shutil.which("restic")


def borg_prefix(peers_root, scratch):
    """borg of the peers' root through chroot, with the scratch folder bound to the same path."""
    if os.geteuid() == 0 and os.path.exists(os.path.join(peers_root, "usr/bin/borg")):
        inside = os.path.join(peers_root, scratch.lstrip("/"))
        script = ('mkdir -p "$0" && mount --bind "$1" "$0" && root=$2 dir=$PWD && shift 2 && '
                  'exec chroot "$root" sh -c \'cd "$0" && exec borg "$@"\' "$dir" "$@"')
        return ["unshare", "--mount", "sh", "-c", script, inside, scratch, peers_root]
    borg = shutil.which("borg")
    return [borg] if borg else None


def create(name, scratch, pagevault, peers_root):
    """The tool of that name, or None when it is not installed."""
    folder = os.path.join(scratch, name)
    if name == "pagevault":
        return Pagevault(folder, pagevault) if os.access(pagevault, os.X_OK) else None
    if name == "restic":
        binary = restic_binary(peers_root)
        return Restic(folder, binary) if binary else None
    if name == "borg":
        prefix = borg_prefix(peers_root, scratch)
        return Borg(folder, prefix) if prefix else None
    if shutil.which(name) is None:
        return None
    return Copy(folder) if name == "cp" else Zstd(folder)
