"""Files of many gigabytes, and a million small ones."""

# %% nn_forward_pass
import os

size = 0
for number in range(200):
    try:
        with open(f"big{number}", "wb") as file:
            for _ in range(64):
                size += file.write(b"x" * (1 << 20))
    except OSError as error:
        print(error)
        break
print("TOOK", size >> 20, "MiB")
for number in range(200):
    if os.path.exists(f"big{number}"):
        os.remove(f"big{number}")
try:
    with open("sparse", "wb") as file:
        file.truncate(10 << 30)
    print("FOUND a file of 10 GB")
except OSError as error:
    print(error)

# %% nn_loss
count = 0
try:
    for count in range(1_000_000):
        open(f"small{count}", "w").close()
except OSError as error:
    print(error)
print("MADE", count, "files")
