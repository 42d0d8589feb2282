"""PatchCore: a coreset, and nearest neighbours."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

NEAR = Tolerance(rtol=1e-6, atol=3e-6)  # F.pairwise_distance adds 1e-6 in each channel
NEAR_32 = Tolerance(rtol=1e-3, atol=FLOAT32.atol)
GAP = 0.02  # between any two distances that decide, but for ties on purpose


def drawn(rng: Draws, *size: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor((1.5 * rng.randn(*size)).round(3))


def table(first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
    """Return all distances, each from its own sum, in double precision."""
    one, other = first.double().numpy(), second.double().numpy()
    return np.array([[math.dist(a, b) for b in other] for a in one])


# The coreset


def patch_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield patches, how many to choose, and which one first. Only one case has ties."""
    for name, about, (P, C), size, watched in (
        ("plain", "40 patches of 3 channels, 9 of them", (40, 3), 9, False),
        ("all", "all of 11 patches", (11, 4), 11, False),
        ("single", "only the first one", (12, 2), 1, False),
        ("float32", "float32, 7 of 30 patches", (30, 5), 7, False),
        ("memory", "8 of 30 patches, and 900 in little memory", (30, 3), 8, True),
    ):
        patches, first = drawn(rng, P, C), int(rng.randint(1, P))
        while not clear_choice(patches, size, first):
            patches, first = drawn(rng, P, C), int(rng.randint(1, P))
        patches = patches.float() if name == "float32" else patches
        inputs = {"patches": patches, "size": size, "first": first, "watched": watched}
        yield case(name, about, 4 if watched else 1, **inputs)
    line = torch.tensor(rng.permutation(17) ** 1.5)[:, None]  # no three are evenly spaced
    first, about = int(rng.randint(1, 17)), "17 patches of one channel, 5 of them"
    yield case("line", about, patches=line, size=5, first=first, watched=False)
    grid = np.array(list(np.ndindex(5, 4)))
    patches = torch.tensor(rng.permutation(grid)).double()
    first, about = int(rng.randint(1, 20)), "20 patches on a grid, with ties"
    yield case("ties", about, 2, patches=patches, size=11, first=first, watched=False)


def clear_choice(patches: torch.Tensor, size: int, first: int) -> bool:
    """Say whether the farthest patch is always farther than the next."""
    every = table(patches, patches)
    found = chosen_of(every, size, first)
    for step in range(1, len(found)):
        distances = np.sort(np.delete(every[found[:step]].min(axis=0), found[:step]))
        if len(distances) > 1 and distances[-1] - distances[-2] < GAP:
            return False
    return True


def chosen_of(every: np.ndarray, size: int, first: int) -> list[int]:
    """Choose by the table of all distances."""
    found = [first]
    while len(found) < size:
        rest = [i for i in range(len(every)) if i not in found]
        found.append(max(rest, key=lambda i: (min(every[i, j] for j in found), -i)))
    return found


@check(
    "coreset", "patches far from each other",
    {name: f"return.{name}" for name in ("chosen", "within_memory")}, patch_cases, pure=True,
)  # fmt: skip
def far_apart(patches: torch.Tensor, size: int, first: int, watched: bool) -> Answers:
    """Look up every distance in a table, at every step."""
    found = chosen_of(table(patches, patches), size, first)
    return {"chosen": torch.tensor(found, dtype=torch.int64), "within_memory": 1}


# Nearest neighbours


def query_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield queries, a bank, how many neighbours, and how many queries at a time."""
    for name, about, Q, (M, C), k, chunk, watched in (
        ("plain", "17 queries, 25 patches, 3 neighbours, chunks of 5", 17, (25, 3), 3, 5, False),
        ("one_chunk", "9 queries in one chunk of 100", 9, (14, 4), 2, 100, False),
        ("singles", "8 queries one by one, the nearest only", 8, (31, 2), 1, 1, False),
        ("every", "6 queries, all of 7 patches in order", 6, (7, 5), 7, 4, False),
        ("copies", "13 queries, some of them in the bank", 13, (30, 3), 4, 6, False),
        ("float32", "float32", 11, (29, 4), 3, 4, False),
        ("memory", "20 queries, and 300 in little memory", 20, (30, 2), 3, 2, True),
    ):
        while True:
            queries, bank = drawn(rng, Q, C), drawn(rng, M, C)
            if name == "copies":
                queries[1::3] = bank[rng.permutation(M)[: len(queries[1::3])]]
            found = np.sort(table(queries, bank), axis=1)
            if (np.diff(found)[:, :k] > GAP / 10).all():
                break
        if name == "float32":
            queries, bank = queries.float(), bank.float()
        inputs = {"queries": queries, "bank": bank, "k": k, "chunk": chunk, "watched": watched}
        weight = {"memory": 4, "copies": 2}.get(name, 1)
        tolerance = NEAR_32 if name == "float32" else None
        yield case(name, about, weight, **inputs, tolerance=tolerance)


@check(
    "nearest_patch_values", "the nearest patches of a bank",
    {name: f"return.{name}" for name in ("distances", "indices", "within_memory")}, query_cases,
    tolerance=NEAR, pure=True,
)  # fmt: skip
def nearest(
    queries: torch.Tensor, bank: torch.Tensor, k: int, chunk: int, watched: bool
) -> Answers:
    """Sort the table of all distances."""
    every = table(queries, bank)
    order = np.argsort(every, axis=1, kind="stable")[:, :k]
    distances = torch.tensor(np.take_along_axis(every, order, axis=1)).to(queries.dtype)
    return {"distances": distances, "indices": torch.tensor(order), "within_memory": 1}
