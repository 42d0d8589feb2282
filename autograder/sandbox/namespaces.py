"""The sandbox: namespaces, a file tree of what is allowed, and nothing else.

Two walls, one in the other, made of Linux's system calls and the standard library. The
outer one is made once: a user namespace in which root's files belong to nobody, and a
root directory of read-only mounts. The inner one is made for every kernel
(`enter_kernel`): process ids, network, interprocess communication and a private scratch
folder in memory.
"""

import ctypes
import os
import platform
import resource
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

COURSE = "/course"  # where the student's package is, inside
SCRATCH = "/scratch"  # the only place a kernel can write to; /tmp leads there
SUBMISSION = f"{SCRATCH}/submission"  # where a kernel starts
INSIDE_ID = 1000  # user and group, inside
NOBODY = 65534  # who root is, outside

USR = (
    "bin", "sbin", "lib", "lib32", "lib64", "libexec", "share/fonts", "share/locale", "share/misc",
    "share/terminfo", "share/zoneinfo", "local/bin", "local/lib", "local/lib64",
    "local/share/fonts",
)  # fmt: skip
SYSTEM = (
    *(f"/usr/{part}" for part in USR), "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store",
)  # fmt: skip
ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")
DEVICES = ("null", "full", "random", "urandom")  # zero can be mapped as memory without owner
PASSWD = f"student:x:{INSIDE_ID}:{INSIDE_ID}::{SCRATCH}:/bin/sh\n"

# <linux/mount.h>, <linux/sched.h>, <linux/prctl.h>
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
PROC_FLAGS = MS_NOSUID | MS_NODEV | 8  # and no execution
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = (
    -100, 0x8000, 1, 2, 4,
)  # fmt: skip
NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR = 442


class NoSandbox(Exception):
    """There can be no sandbox here; the message says why, in one sentence."""


def call(name: str, *arguments: object) -> int:
    """Call a function of libc. Raises OSError with its name."""
    result = getattr(_libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something at a place, as the system call of this name does."""
    encoded = [text.encode() if text is not None else None for text in (source, target, kind)]
    try:
        call("mount", *encoded, ctypes.c_ulong(flags), options.encode())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} of {source} at {target}") from error


def read_only(target: str, flags: int = 0) -> None:
    """Make a mount read-only, without devices and without set-user-id."""
    attributes = (ctypes.c_uint64 * 4)(
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0
    )
    call(
        "syscall", ctypes.c_long(MOUNT_SETATTR), ctypes.c_int(AT_FDCWD), target.encode(),
        ctypes.c_uint(flags), attributes, ctypes.c_size_t(32),
    )  # fmt: skip


def enter(paths: Iterable[str], package: Mapping[str, str]) -> None:
    """Shut this process in: it continues as process 1 of its own namespaces.

    `paths` are the folders outside that can be read inside, at the same place; `package`
    are files by their place under /course. Raises NoSandbox.
    """
    if sys.platform != "linux" or platform.machine() not in PIVOT_ROOT:
        raise NoSandbox("it needs Linux on x86-64 or ARM64")
    try:
        _new_user()
    except OSError as error:
        raise NoSandbox(
            f"this system allows no user namespaces ({error.strerror}); see "
            "user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns in sysctl"
        ) from error
    try:
        call("unshare", NEW_NS | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS)
        _become_first_process()
        _change_root(paths, package)
    except OSError as error:
        raise NoSandbox(f"this system does not allow it ({error})") from error


def enter_kernel(limits: Mapping[str, int]) -> None:
    """Shut in one kernel: this process, which is process 1 of a new pid namespace."""
    call("prctl", PR_SET_PDEATHSIG, 9)
    call("unshare", NEW_NS | NEW_IPC | NEW_NET)
    flags = MS_NOSUID | MS_NODEV
    size = f"size={limits['scratch']},nr_inodes={limits['files']},mode=700"
    mount("tmpfs", SCRATCH, "tmpfs", flags, size)
    os.mkdir(f"{SCRATCH}/.shm")
    mount(f"{SCRATCH}/.shm", "/dev/shm", None, MS_BIND)
    mount("proc", "/proc", "proc", PROC_FLAGS)
    drop_privileges()


def rejoin() -> None:
    """Let the next child of this process be in its own pid namespace again."""
    with open("/proc/self/ns/pid") as own:
        call("setns", own.fileno(), NEW_PID)


def drop_privileges() -> None:
    """Give up every capability, for good."""
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the last one there is
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def limit(limits: Mapping[str, int]) -> None:
    """Set the limits of this process and of those it will start."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    mapped, data = (1024 * int(status[name].split()[0]) for name in ("VmSize", "VmData"))
    for which, value in (
        (resource.RLIMIT_DATA, data + limits["memory"]),
        (resource.RLIMIT_AS, mapped + 2 * limits["memory"] + 2**31),  # threads reserve much
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _new_user() -> None:
    """Enter a user namespace in which this user, or nobody if it is root, is number 1000."""
    user, group = os.getuid(), os.getgid()
    outside = {"uid_map": NOBODY if user == 0 else user, "gid_map": NOBODY if user == 0 else group}
    ready, go = socket.socketpair(), os.getpid()
    helper = os.fork()
    if helper == 0:  # only a process outside may map root to someone else
        ready[0].recv(1)
        try:
            if user != 0:
                Path(f"/proc/{go}/setgroups").write_text("deny")
            for name, number in outside.items():
                Path(f"/proc/{go}/{name}").write_text(f"{INSIDE_ID} {number} 1")
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    try:
        if user == 0:
            os.setgroups([])
        call("unshare", NEW_USER)
    finally:
        ready[1].send(b".")
        status = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def _become_first_process() -> None:
    """Continue as the first process of the new pid namespace; the one outside waits for it."""
    child = os.fork()
    if child:
        os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def _change_root(paths: Iterable[str], package: Mapping[str, str]) -> None:
    """Make a tree of what is allowed, in memory, and let it be all there is."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    # Opened while this is still the user who may read them; mounted by the one who may mount.
    opened = {path: os.open(path, os.O_PATH) for path in _allowed(paths)}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    contents = {name: Path(file).read_bytes() for name, file in package.items()}
    links = {p: os.readlink(p) for p in (*SYSTEM, "/etc/localtime") if os.path.islink(p)}
    os.setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
    os.setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # its /proc files are its own again

    root = "/tmp"
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for path, fd in opened.items():
        _bind(fd, root + path)
    for name, fd in devices.items():
        _bind(fd, f"{root}/dev/{name}")
    for path, target in links.items():
        _parent(root + path)
        os.symlink(target, root + path)
    for name, content in {**contents, "../etc/passwd": PASSWD.encode()}.items():
        Path(_parent(os.path.normpath(f"{root}{COURSE}/{name}"))).write_bytes(content)
    for name in ("proc", SCRATCH, "dev/shm", "old"):
        os.makedirs(f"{root}/{name}")
    if not os.path.exists(f"{root}/tmp"):  # unless Python lies in it
        os.symlink(SCRATCH, f"{root}/tmp")
    mount("proc", f"{root}/proc", "proc", PROC_FLAGS)
    Path(root, "proc/sys/user/max_user_namespaces").write_text("0")  # none inside this one
    os.chdir(root)
    call("syscall", ctypes.c_long(PIVOT_ROOT[platform.machine()]), b".", b"old")
    os.chdir("/")
    call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")
    for path in opened:
        read_only(path, AT_RECURSIVE)
    read_only("/")
    mount("tmpfs", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=64m")


def _allowed(paths: Iterable[str]) -> list[str]:
    """Return the paths to mount, the outer ones first, none that lies in another one."""
    paths = list(paths)
    wanted = {p for p in SYSTEM if not os.path.islink(p)}
    wanted |= {f"/etc/{name}" for name in ETC if not os.path.islink(f"/etc/{name}")}
    wanted |= {os.path.abspath(p) for p in paths} | {os.path.realpath(p) for p in paths}
    chosen: list[str] = []
    for path in sorted(filter(os.path.exists, wanted)):
        if not any(path.startswith(f"{outer}/") for outer in chosen):
            chosen.append(path)
    return chosen


def _bind(fd: int, target: str) -> None:
    """Mount what is open as `fd` at `target`."""
    if os.path.isdir(f"/proc/self/fd/{fd}"):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.mknod(_parent(target))
    mount(f"/proc/self/fd/{fd}", target, None, MS_BIND | MS_REC)
    os.close(fd)


def _parent(path: str) -> str:
    """Make the folder a path lies in. Returns the path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path
