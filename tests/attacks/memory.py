"""One process takes all the memory it can get."""

# %% nn_forward_pass
taken = []
while True:
    taken.append(bytearray(b"x") * (1 << 24))
