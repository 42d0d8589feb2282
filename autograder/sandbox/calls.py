"""The system calls that a kernel may make, as a filter for Linux (seccomp).

No other call exists there: none that gives memory outside the limits, leaves something behind or
counts for a user as a whole (keyrings, System V, message queues, inotify), none that reaches into
other processes or into parts of Linux with a history of holes, and none that Linux may add one day.
"""

import ctypes
import platform
import struct
from collections.abc import Iterable, Iterator
from functools import cache

from autograder.sandbox.namespaces import PR_SET_NO_NEW_PRIVS, call

# by what they are for: name=number on x86-64/number on ARM64, which lacks some older ones
CALLS = {
    "files": """
        read=0/63 write=1/64 readv=19/65 writev=20/66 pread64=17/67 pwrite64=18/68 preadv=295/69
        pwritev=296/70 preadv2=327/286 pwritev2=328/287 open=2/ openat=257/56 openat2=437/437
        creat=85/ close=3/57 close_range=436/436 lseek=8/62 stat=4/ fstat=5/80 lstat=6/
        newfstatat=262/79 statx=332/291 access=21/ faccessat=269/48 faccessat2=439/439 readlink=89/
        readlinkat=267/78 getdents=78/ getdents64=217/61 getcwd=79/17 chdir=80/49 fchdir=81/50
        mkdir=83/ mkdirat=258/34 rmdir=84/ mknod=133/ mknodat=259/33 unlink=87/ unlinkat=263/35
        rename=82/ renameat=264/38 renameat2=316/276 link=86/ linkat=265/37 symlink=88/
        symlinkat=266/36 chmod=90/ fchmod=91/52 fchmodat=268/53 fchmodat2=452/452 chown=92/
        fchown=93/55 lchown=94/ fchownat=260/54 umask=95/166 truncate=76/45 ftruncate=77/46
        fallocate=285/47 fsync=74/82 fdatasync=75/83 sync_file_range=277/84 utime=132/ utimes=235/
        futimesat=261/ utimensat=280/88 flock=73/32 fcntl=72/25 ioctl=16/29 dup=32/23 dup2=33/
        dup3=292/24 pipe=22/ pipe2=293/59 sendfile=40/71 splice=275/76 tee=276/77
        copy_file_range=326/285 fadvise64=221/223 readahead=187/213 statfs=137/43 fstatfs=138/44
        getxattr=191/8 lgetxattr=192/9 fgetxattr=193/10 listxattr=194/11 llistxattr=195/12
        flistxattr=196/13
    """,
    "waiting": """
        poll=7/ ppoll=271/73 select=23/ pselect6=270/72 epoll_create=213/ epoll_create1=291/20
        epoll_ctl=233/21 epoll_wait=232/ epoll_pwait=281/22 epoll_pwait2=441/441 eventfd=284/
        eventfd2=290/19 signalfd=282/ signalfd4=289/74 timerfd_create=283/85 timerfd_settime=286/86
        timerfd_gettime=287/87 futex=202/98 futex_waitv=449/449 nanosleep=35/101
        clock_nanosleep=230/115 pause=34/ alarm=37/ getitimer=36/102 setitimer=38/103
        timer_create=222/107 timer_settime=223/110 timer_gettime=224/108 timer_getoverrun=225/109
        timer_delete=226/111
    """,
    "memory": """
        brk=12/214 mmap=9/222 munmap=11/215 mremap=25/216 mprotect=10/226 madvise=28/233
        mincore=27/232 msync=26/227 mlock=149/228 mlock2=325/284 munlock=150/229 mlockall=151/230
        munlockall=152/231 mbind=237/235 get_mempolicy=239/236 set_mempolicy=238/237
        membarrier=324/283 pkey_alloc=330/289 pkey_free=331/290 pkey_mprotect=329/288
    """,
    "processes": """
        clone=56/220 clone3=435/435 fork=57/ vfork=58/ execve=59/221 execveat=322/281 exit=60/93
        exit_group=231/94 wait4=61/260 waitid=247/95 kill=62/129 tkill=200/130 tgkill=234/131
        pidfd_open=434/434 pidfd_send_signal=424/424 getpid=39/172 getppid=110/173 gettid=186/178
        getpgid=121/155 getpgrp=111/ setpgid=109/154 getsid=124/156 setsid=112/157 getuid=102/174
        geteuid=107/175 getgid=104/176 getegid=108/177 getresuid=118/148 getresgid=120/150
        getgroups=115/158 setuid=105/146 setgid=106/144 setreuid=113/145 setregid=114/143
        setresuid=117/147 setresgid=119/149 setfsuid=122/151 setfsgid=123/152 capget=125/90
        getrlimit=97/163 setrlimit=160/164 prlimit64=302/261 getrusage=98/165 times=100/153
        getpriority=140/141 setpriority=141/140 ioprio_get=252/31 sched_yield=24/124
        sched_getaffinity=204/123 sched_setaffinity=203/122 sched_getparam=143/121
        sched_getscheduler=145/120 sched_get_priority_max=146/125 sched_get_priority_min=147/126
        sched_rr_get_interval=148/127 sched_getattr=315/275 getcpu=309/168 prctl=157/167
        arch_prctl=158/ set_tid_address=218/96 set_robust_list=273/99 get_robust_list=274/100
        rseq=334/293
    """,
    "signals": """
        rt_sigaction=13/134 rt_sigprocmask=14/135 rt_sigreturn=15/139 rt_sigpending=127/136
        rt_sigtimedwait=128/137 rt_sigsuspend=130/133 rt_sigqueueinfo=129/138
        rt_tgsigqueueinfo=297/240 sigaltstack=131/132 restart_syscall=219/128
    """,
    "sockets": """
        socket=41/198 socketpair=53/199 bind=49/200 listen=50/201 accept=43/202 accept4=288/242
        connect=42/203 getsockname=51/204 getpeername=52/205 getsockopt=55/209 setsockopt=54/208
        sendto=44/206 recvfrom=45/207 sendmsg=46/211 recvmsg=47/212 sendmmsg=307/269
        recvmmsg=299/243 shutdown=48/210
    """,
    "the machine": """
        uname=63/160 sysinfo=99/179 getrandom=318/278 time=201/ gettimeofday=96/169
        clock_gettime=228/113 clock_getres=229/114
    """,
}
# To these the answer is that it may not, not that there is no such call: shutil.copy2 goes on then.
FORGIVEN = {"setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7)}
FAMILIES = 1, 2, 10, 16  # of sockets: local, IPv4, IPv6 and netlink; others lead out of a sandbox
LOCAL = 1, 16  # of those, the ones that lead nowhere even where the network is the machine's
SHARED_WITHOUT_FILE = 0x21  # MAP_SHARED and MAP_ANONYMOUS: memory that no process is charged for

# <linux/audit.h>, <linux/filter.h>, <linux/seccomp.h>
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, AND, IF_EQUAL, IF_NOT_LESS, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
NUMBER, ARCH, FIRST_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 40  # offsets in what a filter sees
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM, ENOSYS

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]  # what to do; how many to skip if so, and if not; a number


def allow_only_these(families: tuple[int, ...] = FAMILIES) -> None:
    """Let this process, and all that come from it, make no other calls. Raises OSError."""
    program = filter_for(platform.machine(), families)
    text = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0)


def allowed(machine: str) -> dict[str, int]:
    """Return the calls that are allowed on a machine, with their numbers."""
    column = list(AUDIT_ARCH).index(machine)
    found = (word.partition("=") for words in CALLS.values() for word in words.split())
    named = ((name, numbers.split("/")[column]) for name, _, numbers in found)
    return {name: int(number) for name, number in named if number}


@cache
def filter_for(machine: str, families: tuple[int, ...] = FAMILIES) -> bytes:
    """Return the filter for a machine: instructions of the classic BPF."""
    numbers = allowed(machine)
    known = len(families)
    instructions: list[Instruction] = [
        (LOAD, 0, 0, ARCH), (IF_EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, UNKNOWN),
        (LOAD, 0, 0, NUMBER),
        (IF_EQUAL, 0, known + 3, numbers["socket"]), (LOAD, 0, 0, FIRST_ARGUMENT),
        *[(IF_EQUAL, known - place, 0, family) for place, family in enumerate(families)],
        (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW),
        (IF_EQUAL, 0, 5, numbers["mmap"]),
        (LOAD, 0, 0, FOURTH_ARGUMENT), (AND, 0, 0, SHARED_WITHOUT_FILE),
        (IF_EQUAL, 0, 1, SHARED_WITHOUT_FILE), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    for refused in FORGIVEN.values():
        number = refused[list(AUDIT_ARCH).index(machine)]
        instructions += [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for first, beyond in _ranges(numbers.values()):
        instructions += [
            (IF_NOT_LESS, 1, 0, first), (RETURN, 0, 0, UNKNOWN),
            (IF_NOT_LESS, 1, 0, beyond), (RETURN, 0, 0, ALLOW),
        ]  # fmt: skip
    instructions.append((RETURN, 0, 0, UNKNOWN))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first number of each range, and the one beyond it, in order."""
    first = beyond = -1
    for number in sorted(numbers):
        if number != beyond:
            if beyond >= 0:
                yield first, beyond
            first = number
        beyond = number + 1
    yield first, beyond
