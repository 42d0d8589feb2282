"""Memory is taken that belongs to no process: files without a name, shared and System V memory."""

# %% nn_forward_pass
import ctypes
import mmap
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
MiB = 1 << 20


def without_name():
    fd = os.memfd_create("gc-attack")
    for _ in range(4):
        os.write(fd, b"x" * (8 * MiB))


def system_five():
    if (key := libc.shmget(0, 32 * MiB, 0o600 | 0o1000)) == -1:
        raise OSError(ctypes.get_errno(), "shmget")
    address = libc.shmat(key, None, 0)
    ctypes.memset(ctypes.c_void_p(address), 1, 32 * MiB)
    libc.shmdt(ctypes.c_void_p(address))


def shared(fd=-1):
    shared = mmap.mmap(fd, 32 * MiB)
    shared.write(b"x" * 32 * MiB)
    shared.madvise(mmap.MADV_DONTNEED)
    taken.append(shared)


def zero():
    shared(os.open("/dev/zero", os.O_RDWR))


taken = []
for way in (without_name, system_five, shared, zero):
    try:
        for _ in range(3):
            way()
        print("FOUND memory without owner:", way.__name__)
    except OSError as error:
        print(way.__name__, error)

