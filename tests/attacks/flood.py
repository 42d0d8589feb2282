"""More is printed than anyone can read."""

REASON = "displayed more than|MemoryError|the kernel died"

# %% nn_forward_pass
while True:
    print("x" * 100_000)
