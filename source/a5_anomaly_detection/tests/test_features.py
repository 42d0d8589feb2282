"""PaDiM and PatchCore: cases, oracles and adapters of a5."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, mahalanobis

from autograder.assignments.a5_anomaly_detection.checks import padim, patchcore
from autograder.assignments.a5_anomaly_detection.lesson import adapters

SEEDS = (0, 1, 2, 3)
DECLARED = (
    padim.fitted, padim.distances, patchcore.far_apart, patchcore.nearest,
)  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


def case_of(checks, check, name):
    return next(case for case in checks[check].cases if case.name == name)


# PaDiM


def test_the_oracle_of_distances_is_scipys(checks):
    for case in checks["gaussians_distance"].cases:
        x, mean, factor = (value.double().numpy() for value in case.inputs.values())
        found = padim.distances.oracle(*case.inputs.values())["distance"].double()
        for n, h, w in np.ndindex(len(x), *x.shape[2:]):
            precision = np.linalg.inv(factor[h, w] @ factor[h, w].T)
            expected = mahalanobis(x[n, :, h, w], mean[:, h, w], precision)
            assert found[n, h, w].item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_without_epsilon_some_covariances_have_no_inverse(checks):
    for name in ("few", "dead"):
        features = case_of(checks, "gaussians_fit", name).inputs["features"]
        N, C = features.shape[:2]
        ranks = [torch.linalg.matrix_rank(torch.cov(x.T)) for x in features.flatten(2).unbind(2)]
        assert all(rank < C for rank in ranks)


def fit_in_one_pass(features, epsilon):
    """What loses its digits: the mean of the products minus the product of the means."""
    N, mean = len(features), features.mean(dim=0)
    moments = torch.einsum("nchw,ndhw->hwcd", features, features)
    covariance = (moments - N * torch.einsum("chw,dhw->hwcd", mean, mean)) / (N - 1)
    return torch.linalg.cholesky(covariance + epsilon * torch.eye(len(mean)))


def test_one_pass_fails_clearly_and_every_two_passes_do_not(checks):
    features, epsilon = case_of(checks, "gaussians_fit", "offset").inputs.values()
    expected = padim.fitted.oracle(features, epsilon)["factor"]
    assert (fit_in_one_pass(features, epsilon) - expected).abs().max() > 3 * 1.5e-3
    total = torch.zeros_like(features[0])
    for image in features:  # the worst way to add
        total = total + image
    d = features - total / len(features)
    slow = torch.zeros(*features.shape[2:], *2 * features.shape[1:2])
    for image in d:
        slow = slow + torch.einsum("chw,dhw->hwcd", image, image)
    factor = torch.linalg.cholesky(slow / (len(d) - 1) + epsilon * torch.eye(d.shape[1]))
    error = (factor - expected).abs() / (expected.abs() + 0.1)  # atol / rtol
    assert error.max() < 1e-3 / 10


def test_narrow_gaussians_are_narrow(checks):
    factor = case_of(checks, "gaussians_distance", "narrow").inputs["factor"]
    assert torch.linalg.cond(factor).max() > 300


# PatchCore


def test_ties_are_many_and_exact(checks):
    patches, size, first, _ = case_of(checks, "coreset", "ties").inputs.values()
    every = cdist(patches, patches, "sqeuclidean")
    found = patchcore.chosen_of(np.sqrt(every), size, first)
    ties = 0
    for step in range(1, size):
        distances = every[found[:step]].min(axis=0)
        farthest = np.flatnonzero(distances == distances.max())
        assert found[step] == farthest[0]
        ties += len(farthest) > 1
    assert ties >= 3


def test_first_is_never_number_0(checks):
    assert all(case.inputs["first"] > 0 for case in checks["coreset"].cases)


def test_the_greedy_choice_is_at_most_twice_as_far_as_any_other():
    """Gonzalez (1985), on a few points, against all choices."""
    from itertools import combinations

    points = torch.randn(9, 2, generator=torch.Generator().manual_seed(1)).double()
    every = patchcore.table(points, points)
    found = every[patchcore.chosen_of(every, 3, 0)].min(axis=0).max()
    best = min(every[list(chosen)].min(axis=0).max() for chosen in combinations(range(9), 3))
    assert found <= 2 * best


def test_distances_that_decide_are_apart(checks):
    for case in checks["nearest_patch_values"].cases:
        queries, bank, k, *_ = case.inputs.values()
        found = np.sort(patchcore.table(queries, bank), axis=1)
        assert np.diff(found)[:, :k].min() > 1e-3


def test_some_queries_stand_in_the_bank(checks):
    for case in checks["nearest_patch_values"].cases:
        nearest = patchcore.nearest.oracle(*case.inputs.values())["distances"].min()
        assert (nearest == 0) == case.name.endswith("copies")


# Memory


def in_chunks(keep):
    """Build a search that keeps something of each slice of the table."""

    def search(queries, bank, k, chunk):
        found = [keep(torch.cdist(part, bank), k) for part in queries.split(chunk)]
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    return search


def nested_loops(queries, bank, k, chunk):
    found = [
        (bank - query).norm(dim=1).topk(k, largest=False)
        for part in queries.split(chunk)
        for query in part
    ]
    return tuple(torch.stack(parts) for parts in zip(*found, strict=True))


def mapped(only_a_chunk):
    def search(queries, bank, k, chunk):
        nearest = torch.vmap(
            lambda query: tuple((bank - query).norm(dim=1).topk(k, largest=False)),
            chunk_size=chunk if only_a_chunk else None,
        )
        return nearest(queries)

    return search


def in_parts(split):
    """Build a search that has its own idea of how many queries to take at a time."""

    def search(queries, bank, k, chunk):
        found = [torch.cdist(part, bank).topk(k, largest=False) for part in split(queries, chunk)]
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    return search


def sorted_view(table, k):
    values, indices = table.sort(dim=1)
    return values[:, :k], indices[:, :k]


def sorted_copy(table, k):
    return tuple(part.clone() for part in sorted_view(table, k))


def in_numpy(whole):
    def search(queries, bank, k, chunk):
        q, m, found = queries.numpy(), bank.numpy(), []
        step = len(q) if whole else chunk
        for start in range(0, len(q), step):
            table = np.sqrt(((q[start : start + step, None] - m) ** 2).sum(axis=2))
            order = table.argsort(axis=1)[:, :k].copy()
            found.append((np.take_along_axis(table, order, axis=1), order))
        return tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))

    return search


def by_a_tree(queries, bank, k, chunk):
    from sklearn.neighbors import NearestNeighbors

    distances, indices = NearestNeighbors(n_neighbors=k).fit(bank).kneighbors(queries)
    return torch.from_numpy(distances), torch.from_numpy(indices)


def in_python(queries, bank, k, chunk):
    rows = []
    for query in queries.tolist():
        pairs = sorted((math.dist(query, patch), i) for i, patch in enumerate(bank.tolist()))
        rows.append(pairs[:k])
    found = torch.tensor(rows, dtype=torch.float64)
    return found[..., 0].to(queries.dtype), found[..., 1].long()


@pytest.mark.parametrize(
    "search, within",
    [
        (in_chunks(lambda table, k: table.topk(k, largest=False)), 1),
        (in_chunks(sorted_copy), 1),
        (in_chunks(sorted_view), 0),  # keeps every slice alive
        (lambda queries, bank, k, chunk: torch.cdist(queries, bank).topk(k, largest=False), 0),
        (in_numpy(whole=False), 1),
        (in_numpy(whole=True), 0),
        (by_a_tree, 1),
        pytest.param(in_python, 1, marks=pytest.mark.slow),  # a minute
        (nested_loops, 1),
        (mapped(only_a_chunk=True), 1),
        (mapped(only_a_chunk=False), 0),
        (in_parts(lambda queries, chunk: queries.split(1)), 1),
        (in_parts(lambda queries, chunk: queries.chunk(chunk)), 0),
        (in_parts(lambda queries, chunk: queries.split(256)), 0),
        (in_parts(lambda queries, chunk: queries.split(64)), 0),  # another size than chunk
    ],
)
def test_memory_is_seen_wherever_it_is(search, within, checks):
    case = case_of(checks, "nearest_patch_values", "memory")
    found = adapters.nearest_patch_values(search, *case.inputs.values())
    expected = patchcore.nearest.oracle(*case.inputs.values())
    assert found["within_memory"] == within
    assert torch.allclose(found["distances"], expected["distances"])
    assert torch.equal(found["indices"], expected["indices"])
