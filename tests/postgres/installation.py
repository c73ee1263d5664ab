"""Where the programs of a PostgreSQL version are, and how they are run.

On this system, as user postgres; or in the private Debian root that scripts/postgres-root makes. A
command in the root runs in a mount namespace of its own, with the scratch folder at the same path
inside and outside: paths and sockets mean the same on both sides, and nothing stays mounted.
"""

import os
import pwd
import subprocess

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Arguments: root, scratch folder, command. A server started by the command keeps the namespace.
ENTER_ROOT = """
root=$1 scratch=$2
shift 2
mount -t proc proc "$root/proc"
mount --bind /dev/shm "$root/dev/shm"
mkdir -p "$root$scratch"
mount --bind "$scratch" "$root$scratch"
exec chroot --userspec=postgres "$root" "$@"
"""


class Failed(Exception):
    """A program ended with an error; the text says which and what it printed."""


def _default_root(version):
    if version == 17 and os.environ.get("PAGEVAULT_POSTGRES_ROOT"):
        return os.path.abspath(os.environ["PAGEVAULT_POSTGRES_ROOT"])
    return os.path.join(PROJECT, "build", "postgres-root" + ("" if version == 17 else f"-{version}"))


def _is_wanted_from_root(version, programs):
    named = version == 17 and os.environ.get("PAGEVAULT_POSTGRES_ROOT")
    return named or not os.path.exists(os.path.join(programs, "postgres"))


class Installation:
    """The programs of one version. Runs them as user postgres, with a clean environment."""

    def __init__(self, version):
        self.version = version
        self.programs = f"/usr/lib/postgresql/{version}/bin"
        self.root = None
        if _is_wanted_from_root(version, self.programs):
            self.root = _default_root(version)
            if not os.path.exists(self.root + self.programs + "/postgres"):
                raise Failed(f"no PostgreSQL {version} in {self.root}: run scripts/postgres-root")
        if os.geteuid() != 0:
            raise Failed("PostgreSQL servers run as a user of their own here: run this as root")
        self.uid, self.gid = self._user()

    def _user(self):
        if self.root is None:
            entry = pwd.getpwnam("postgres")
            return entry.pw_uid, entry.pw_gid
        with open(os.path.join(self.root, "etc/passwd"), encoding="utf-8") as file:
            fields = next(line.split(":") for line in file if line.startswith("postgres:"))
        return int(fields[2]), int(fields[3])

    def command(self, scratch, program, *arguments):
        """The words that run it; programs of PostgreSQL are named without their folder."""
        own = os.path.join(self.programs, program)
        argv = [own if os.path.exists((self.root or "") + own) else program, *arguments]
        if self.root is None:
            return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *argv]
        return ["unshare", "--mount", "sh", "-ec", ENTER_ROOT, "sh", self.root, scratch, *argv]

    def environment(self):
        return {"PATH": f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                "TZ": "UTC", "HOME": "/nonexistent"}

    def run(self, scratch, program, *arguments, given=None, output=subprocess.PIPE, check=True):
        """Runs it to its end and returns the finished process, with text or, for a file, bytes."""
        command = self.command(scratch, program, *arguments)
        done = subprocess.run(command, input=given if given is not None else b"", stdout=output,
                              stderr=subprocess.PIPE, cwd="/", env=self.environment(), check=False)
        if check and done.returncode != 0:
            printed = (done.stdout or b"")[-2000:] + done.stderr[-3000:]
            raise Failed(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}:\n"
                         f"{printed.decode(errors='replace')}")
        return done

    def forget(self, scratch):
        """Removes the empty folder that binding the scratch folder left in the root."""
        if self.root is not None:
            try:
                os.rmdir(self.root + scratch)
            except OSError:
                pass  # Never bound, or a server of another test still there.

    def own(self, path):
        """Makes it and all below it, and what its tablespaces link to, the server's."""
        for folder, names, files in os.walk(path):
            for name in names + files:
                inner = os.path.join(folder, name)
                os.lchown(inner, self.uid, self.gid)
                if os.path.islink(inner) and os.path.basename(folder) == "pg_tblspc":
                    self.own(os.path.realpath(inner))
        os.lchown(path, self.uid, self.gid)
