"""With F.pairwise_distance, which adds 1e-6 to every difference."""

import torch
import torch.nn.functional as F


def nearest_patches(queries, bank, k, chunk):
    found = []
    for part in queries.split(chunk):
        table = torch.stack([F.pairwise_distance(query, bank) for query in part])
        found.append(table.topk(k, dim=1, largest=False, sorted=True))
    return tuple(torch.cat(one) for one in zip(*found))
