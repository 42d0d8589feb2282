"""It calls out: to the internet, to this machine, and to sockets without a file."""

# %% nn_forward_pass
import socket

PLACES = [
    (socket.AF_INET, ("1.1.1.1", 53)),
    (socket.AF_INET, ("127.0.0.1", int("@port@"))),
    (socket.AF_INET6, ("::1", int("@port@"))),
    (socket.AF_UNIX, "\0gradient-check-attack"),
    (socket.AF_UNIX, "/var/run/docker.sock"),
    (socket.AF_UNIX, "@course@/socket"),
]
for family, address in PLACES:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as caller:
            caller.settimeout(0.2)
            try:
                caller.connect(address)
                caller.send(b"gc-attack")
                print("CONNECTED", address)
            except OSError as error:
                print(error)
try:
    print("FOUND", socket.getaddrinfo("pypi.org", 443))
except OSError as error:
    print(error)
for kind in (socket.SOCK_RAW, socket.SOCK_STREAM):
    try:
        print(socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP))
    except OSError as error:
        print(error)
