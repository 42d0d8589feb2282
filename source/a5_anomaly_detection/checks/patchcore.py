"""PatchCore: a coreset, nearest neighbours, and the re-weighted score."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
NEAR = Tolerance(rtol=1e-6, atol=1e-6)  # q² - 2qm + m² leaves 1e-8 where the distance is 0
NEAR_32 = Tolerance(rtol=1e-3, atol=FLOAT32.atol)
SCORES = Tolerance(rtol=1e-6, atol=1e-9)
SCORES_32 = Tolerance(rtol=1e-3, atol=1e-5)
GAP = 0.02  # between any two distances that decide, but for ties on purpose


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    yield Check(
        name="coreset",
        title="patches far from each other",
        records={name: f"return.{name}" for name in ("chosen", "within_memory")},
        cases=public_and_hidden(patch_cases, seed),
        oracle=far_apart,
        pure=True,
    )
    yield Check(
        name="nearest_patch_values",
        title="the nearest patches of a bank",
        records={name: f"return.{name}" for name in ("distances", "indices", "within_memory")},
        cases=public_and_hidden(query_cases, seed),
        oracle=nearest,
        pure=True,
    )
    yield Check(
        name="reweighted_score_value",
        title="the score of an image",
        records={"score": "return"},
        cases=public_and_hidden(image_cases, seed),
        oracle=weighted,
        pure=True,
    )


def drawn(rng: np.random.RandomState, *size: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor((1.5 * rng.randn(*size)).round(3))


def table(first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
    """Return all distances, each from its own sum, in double precision."""
    one, other = first.double().numpy(), second.double().numpy()
    return np.array([[math.dist(a, b) for b in other] for a in one])


# The coreset


def patch_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield patches, how many to choose, and which one first. Only one case has ties."""
    for name, about, (P, C), size, watched in (
        ("plain", "40 patches of 3 channels, 9 of them", (40, 3), 9, False),
        ("all", "all of 11 patches", (11, 4), 11, False),
        ("single", "only the first one", (12, 2), 1, False),
        ("float32", "float32, 7 of 30 patches", (30, 5), 7, False),
        ("memory", "8 of 30 patches, and 900 in little memory", (30, 3), 8, True),
    ):
        while True:
            patches, first = drawn(rng, P, C), int(rng.randint(1, P))
            if clear_choice(patches, size, first):
                break
        patches = patches.float() if name == "float32" else patches
        inputs = {"patches": patches, "size": size, "first": first, "watched": watched}
        yield name, about, inputs, 4 if watched else 1
    line = torch.tensor(rng.permutation(17) ** 1.5)[:, None]  # no three are evenly spaced
    inputs = {"patches": line, "size": 5, "first": int(rng.randint(1, 17)), "watched": False}
    yield "line", "17 patches of one channel, 5 of them", inputs
    grid = np.array(list(np.ndindex(5, 4)))
    patches = torch.tensor(rng.permutation(grid)).double()
    inputs = {"patches": patches, "size": 11, "first": int(rng.randint(1, 20)), "watched": False}
    yield "ties", "20 patches on a grid, with ties", inputs, 2


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


def far_apart(patches: torch.Tensor, size: int, first: int, watched: bool) -> Tensors:
    """Look up every distance in a table, at every step."""
    found = chosen_of(table(patches, patches), size, first)
    return {"chosen": torch.tensor(found, dtype=torch.int64), "within_memory": number(1)}


# Nearest neighbours


def query_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield queries, a bank, how many neighbours, and how many queries at a time."""
    for name, about, Q, (M, C), k, chunk, watched in (
        ("plain", "17 queries, 25 patches, 3 neighbours, chunks of 5", 17, (25, 3), 3, 5, False),
        ("one_chunk", "9 queries in one chunk of 100", 9, (14, 4), 2, 100, False),
        ("singles", "8 queries one by one, the nearest only", 8, (31, 2), 1, 1, False),
        ("every", "6 queries, all of 7 patches in order", 6, (7, 5), 7, 4, False),
        ("copies", "13 queries, some of them in the bank", 13, (30, 3), 4, 6, False),
        ("float32", "float32", 11, (29, 4), 3, 4, False),
        ("memory", "20 queries, and 1,000 in little memory", 20, (30, 2), 3, 4, True),
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
        yield name, about, inputs, weight, NEAR_32 if name == "float32" else NEAR


def nearest(
    queries: torch.Tensor, bank: torch.Tensor, k: int, chunk: int, watched: bool
) -> Tensors:
    """Sort the table of all distances."""
    every = table(queries, bank)
    order = np.argsort(every, axis=1)[:, :k]
    distances = torch.tensor(np.take_along_axis(every, order, axis=1)).to(queries.dtype)
    return {"distances": distances, "indices": torch.tensor(order), "within_memory": number(1)}


# The score of an image


def image_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the patches of an image, a bank, and the number of neighbours."""
    for name, about, P, (M, C), b, far, spread in (
        ("plain", "14 patches, a bank of 20, 4 neighbours", 14, (20, 3), 4, 0, 1),
        ("single", "a single patch, 3 neighbours", 1, (15, 4), 3, 0, 1),
        ("every", "all of a bank of 6 are neighbours", 9, (6, 2), 6, 0, 1),
        ("alone", "m* is its only neighbour", 8, (12, 3), 1, 0, 1),
        ("far", "distances of 2,000", 7, (16, 3), 5, 2_000, 1),
        ("float32", "float32, distances of 200", 7, (16, 3), 5, 200, 1),
        ("crowded", "a bank of patches close together", 12, (40, 3), 9, 0, 0.4),
    ):
        while True:
            patches, bank = drawn(rng, P, C), spread * drawn(rng, M, C)
            patches[P // 2, 0] += far
            if clear_score(patches, bank, b):
                break
        inputs = {"patches": patches, "bank": bank, "b": b}
        if name == "float32":
            inputs = inputs | {"patches": patches.float(), "bank": bank.float()}
        yield name, about, inputs, 2 if far else 1, SCORES_32 if name == "float32" else SCORES


def clear_score(patches: torch.Tensor, bank: torch.Tensor, b: int) -> bool:
    """Say whether patch, nearest neighbour and its neighbours are beyond doubt, and matter."""
    every = table(patches, bank)
    highest = np.sort(every.min(axis=1))
    test = int(every.min(axis=1).argmax())
    order = np.argsort(every[test])
    around = table(bank, bank)[order[0]]
    edge = np.diff(np.sort(around))[b - 1 : b]
    other = set(np.argsort(around)[:b].tolist()) != set(order[:b].tolist())
    return bool(
        (len(highest) == 1 or highest[-1] - highest[-2] > GAP)
        and every[test, order[1]] - every[test, order[0]] > GAP
        and (edge > GAP).all()
        and (other or b in (1, len(bank)))  # the neighbours of m* are not those of m_test
        and (b == 1 or 0.2 < weight_of(every[test], around, b) < 0.95)
    )


def weight_of(from_test: np.ndarray, from_nearest: np.ndarray, b: int) -> float:
    """Compute the weight, with all exponents relative to that of m*."""
    least, neighbours = from_test.min(), np.argsort(from_nearest)[:b]
    return 1 - 1 / math.fsum(math.exp(from_test[m] - least) for m in neighbours)


def weighted(patches: torch.Tensor, bank: torch.Tensor, b: int) -> Tensors:
    """Compute equation 7 from tables of all distances."""
    every = table(patches, bank)
    test = int(every.min(axis=1).argmax())
    around = table(bank, bank)[int(every[test].argmin())]
    return {"score": number(weight_of(every[test], around, b) * every[test].min())}


BEGUN = "chosen, distances = [first], to_patch(first)"
FARTHEST = "farthest = int(distances.argmax())"
UPDATED = "distances = torch.minimum(distances, to_patch(farthest))"
TAKEN = "\n        distances[chosen] = -1"  # by force
RETURNED = "return torch.tensor(chosen)"
FOUND = "found = [torch.cdist(part, bank).topk(k, largest=False) for part in queries.split(chunk)]"
VALUES = "torch.cat([f.values for f in found])"
INDICES = "torch.cat([f.indices for f in found])"
UNCLAMPED = (
    "(part.square().sum(dim=1, keepdim=True) + bank.square().sum(dim=1) - 2 * part @ bank.T "
    "- 1e-14).sqrt()"
)
TEST = "test = distances[:, 0].argmax()"
AROUND = "bank[around[0]] - patches[test]"
NEIGHBOURS = "nearest_patches(bank[star][None], bank, b, 1)"
WEIGHT = "weight = 1 - torch.exp(distance - to_neighbours.logsumexp(dim=0))"


def coreset(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `greedy_coreset`."""
    return Mistake(name, "greedy_coreset", change, ("coreset",), share, hint)


def neighbour(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `nearest_patches`."""
    return Mistake(name, "nearest_patches", change, ("nearest_patch_values",), share, hint)


def score(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `reweighted_score`."""
    return Mistake(name, "reweighted_score", change, ("reweighted_score_value",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    coreset("farthest_from_the_last", {UPDATED: "distances = to_patch(farthest)"}, 0.3,
            "the next patch is the one farthest from the last. It should be far from all that are"
            " chosen: keep the smallest distance of each patch to any of them."),
    coreset("farthest_from_the_first", {UPDATED: "distances[farthest] = -1"}, 0.2,
            "the patches are sorted by their distance to the first one. After each choice, the "
            "distance of each patch to the chosen ones becomes smaller."),
    coreset("sum_of_distances",
            {UPDATED: f"distances = distances + to_patch(farthest){TAKEN}"}, 0.3,
            "the distances to the chosen patches were added up. What counts is the distance to "
            "the nearest of them: the minimum."),
    coreset("largest_of_distances",
            {UPDATED: UPDATED.replace("minimum", "maximum") + TAKEN}, 0.3,
            "for each patch the largest distance to a chosen one was kept. Keep the smallest."),
    coreset("always_begins_at_0", {BEGUN: "chosen, distances = [0], to_patch(0)"}, 0.5,
            "the first patch is always number 0. It is the argument `first`."),
    coreset("first_left_out",
            {BEGUN: BEGUN.replace("[first]", "[]"), "range(size - 1)": "range(size)"}, 0.5,
            "the first patch is missing: the result begins with `first`."),
    coreset("one_too_many", {"range(size - 1)": "range(size)"}, 0.5,
            "there is one patch too many: the first one counts."),
    coreset("last_of_equals",
            {FARTHEST: "farthest = len(distances) - 1 - int(distances.flip(0).argmax())"}, 0.7,
            "of patches equally far away, the last was taken. Take the one with the lowest index,"
            " as argmax does."),
    coreset("nearest_first",
            {FARTHEST: "distances[chosen] = 99.0\n        farthest = int(distances.argmin())"}, 0.2,
            "the nearest patch was taken, not the farthest."),
    coreset("sorted_in_the_end", {RETURNED: "return torch.tensor(sorted(chosen))"}, 0.6,
            "the indices are sorted. Return them in the order in which they were chosen."),
    coreset("table_of_all_pairs",
            {"def to_patch(i):": "every = torch.cdist(patches, patches)\n\n    def to_patch(i):",
             "return (patches - patches[i]).square().sum(dim=1)": "return every[:, i]"}, 0.7,
            "the indices are right, but the table of all pairs of patches was in memory. For "
            "50,000 patches it takes 10 GB. One row at a time is enough: the distances to the "
            "patch chosen last."),
    neighbour("whole_table_in_memory",
              {FOUND: "found = [torch.cdist(queries, bank).topk(k, largest=False)]"}, 0.6,
              "the numbers are right, but too much of the table was in memory at once. Either it "
              "was computed for more than `chunk` queries at a time (queries.split(chunk) makes "
              "parts of that size, queries.chunk(chunk) makes that many parts), or all its pieces "
              "were kept: `sorted[:, :k]` keeps the whole `sorted` alive, its .clone() does not."),
    neighbour("last_chunk_dropped",
              {"queries.split(chunk)]": "queries.split(chunk) if len(part) == chunk]"}, 0.4,
              "the last chunk is missing where it is smaller than the others."),
    neighbour("squares_for_distances", {VALUES: f"{VALUES}.square()"}, 0.6,
              "these are squares of distances. Take the root."),
    neighbour("farthest_patches", {"largest=False": "largest=True"}, 0.3,
              "these are the farthest patches: topk takes the largest unless it is told "
              "largest=False."),
    neighbour("farthest_of_them_first",
              {VALUES: f"{VALUES}.flip(1)", INDICES: f"{INDICES}.flip(1)"}, 0.6,
              "the neighbours are the right ones, in the wrong order: the nearest comes first."),
    neighbour("itself_left_out", {"torch.cdist(part, bank)": UNCLAMPED}, 0.6,
              "a patch of the bank that equals the query was left out. Its distance is 0. Or the "
              "root was taken of a number just below 0, as rounding makes one of q² + m² − 2qm: "
              "that is NaN, which topk and sort put last. Clamp at 0 first."),
    score("not_reweighted", {WEIGHT: "weight = 1.0"}, 0.4,
          "this is s*, the largest distance. Multiply it by the weight."),
    score("weight_upside_down", {WEIGHT: WEIGHT.replace("1 - ", "")}, 0.5,
          "the weight is 1 minus the share of m*; this is the share itself."),
    score("nearest_to_the_test_patch",
          {NEIGHBOURS: "nearest_patches(patches[test][None], bank, b, 1)"}, 0.6,
          "the neighbours are those of the test patch. N_b(m*) are the patches of the bank "
          "nearest to m*."),
    score("distances_to_m_star", {AROUND: "bank[around[0]] - bank[star]"}, 0.5,
          "the sum runs over distances from m* to its neighbours. Measure them from the test "
          "patch."),
    score("m_star_left_out",
          {NEIGHBOURS: NEIGHBOURS.replace("b,", "min(b + 1, len(bank)),"),
           AROUND: AROUND.replace("[0]", "[0, 1:]")}, 0.6,
          "m* is missing among its own neighbours. It is one of the b."),
    score("negative_exponents",
          {WEIGHT: "weight = 1 - torch.exp(-distance - (-to_neighbours).logsumexp(dim=0))"}, 0.6,
          "the exponents have the wrong sign: exp of the distance, not of minus the distance."),
    score("most_ordinary_patch", {TEST: "test = distances[:, 0].argmin()"}, 0.3,
          "the patch with the smallest distance was scored. An image is as strange as its "
          "strangest patch."),
    score("mean_over_patches",
          {"weight * distance)": "weight * distances[:, 0].mean())"}, 0.4,
          "the weight was multiplied by the mean distance of the image. s* is the largest."),
    score("exp_overflows",
          {WEIGHT: "weight = 1 - torch.exp(distance) / torch.exp(to_neighbours).sum()"}, 0.6,
          "exp(2000) is infinite, and infinity divided by infinity is NaN. Subtract the largest "
          "exponent from all of them first, as softmax and logsumexp do."),
)  # fmt: skip
