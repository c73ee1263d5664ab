"""Runs one command and says what it cost."""

import os
import subprocess
import time


class Failed(Exception):
    """A measured command ended with an error; the text says which and what it printed."""


def _transferred():
    """Bytes that this process and the children it waited for have read and written with system calls."""
    with open("/proc/self/io", encoding="ascii") as file:
        return [int(line.split()[1]) for line in file if line.startswith(("rchar", "wchar"))]


def run(command, env, cwd=None, synced=None, prepare=None):
    """Seconds, processor seconds, peak memory, bytes read and written of the command and the children
    it waited for.

    Bytes are counted wherever they come from, pipes and the page cache too, but neither those read
    through io_uring (see plain_reads) nor through mmap. `prepare` runs in the child before the command.

    With `synced`, a path: also the seconds until its file system had all on the disk.

    The peak never reads lower than this process's own (about 20 MiB): the kernel counts the moment
    between fork and exec. Data is therefore generated in a process of its own.
    """
    log = os.path.join(env["HOME"], "output")
    read, written = _transferred()
    with open(log, "wb") as output:
        start = time.monotonic()
        with subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, preexec_fn=prepare) as child:
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.monotonic() - start
            child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            raise Failed(f"{' '.join(command)} ended with {child.returncode}:\n{file.read()[-3000:]}")
    read_after, written_after = _transferred()
    result = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
              "peak_bytes": usage.ru_maxrss * 1024, "read_bytes": read_after - read,
              "written_bytes": written_after - written}
    if synced:
        subprocess.run(["sync", "-f", synced], check=True)
        result["synced_seconds"] = time.monotonic() - start
    return result


def output_of(command, env=None):
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()


def usage_of(folder):
    """Bytes of the files below folder: as their sizes say, and as the disk holds them."""
    size = allocated = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            info = os.lstat(os.path.join(directory, name))
            size += info.st_size
            allocated += info.st_blocks * 512
    return {"size": size, "allocated": allocated}


def settle_disk(folder):
    """Writes back what is waiting and returns when the disk of `folder` has had nothing to do for half a
    second, after a minute in any case.

    What was deleted before is discarded after the sync has returned, where the file system is mounted
    so: behind the deletion of 10 GB a backup of 2.6 s took 3.7, and once 13.
    """
    os.sync()
    device = os.stat(folder).st_dev
    counters = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat"
    if not os.path.exists(counters):  # Several disks, or none of the machine's own.
        return
    quiet, before = 0, None
    for _ in range(600):
        with open(counters, encoding="ascii") as file:
            now = file.read().split()
        quiet = quiet + 1 if now == before else 0
        if quiet == 5:
            return
        before = now
        time.sleep(0.1)


def prepare_memory(folder, size):
    """Makes so many bytes of free memory that the kernel has used before.

    On a virtual machine the first use of a page costs the host's time, ten times that of a later one:
    the same `cp` of 1 GB took 5.4 s with fresh pages and 0.4 s with used ones. So before each
    measured step a file is written and deleted; its pages are what the kernel hands out next.
    """
    block = bytes(1 << 20)
    # The source stays in memory.
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
    path = os.path.join(folder, "memory")
    with open(path, "wb", buffering=0) as file:
        for _ in range(min(size, limit) // len(block) + 1):
            file.write(block)
    os.unlink(path)
