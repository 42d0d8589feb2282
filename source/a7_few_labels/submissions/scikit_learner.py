# %% stratified_split
def stratified_split(y, groups, share, seed):
    from sklearn.model_selection import GroupShuffleSplit

    split = GroupShuffleSplit(1, train_size=share, random_state=seed)
    first, second = next(split.split(y, y, groups))
    return torch.from_numpy(first).sort().values, torch.from_numpy(second).sort().values


# %% paired_difference
def paired_difference(right_a, right_b):
    from scipy.stats import binomtest

    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if not only_a + only_b:
        return 0, 0, 1.0
    return only_a, only_b, binomtest(only_a, only_a + only_b).pvalue


# %% class_balanced_weights
def class_balanced_weights(counts, beta):
    from sklearn.utils.class_weight import compute_class_weight

    y = np.repeat(np.arange(len(counts)), counts)
    weights = torch.zeros(len(counts), dtype=torch.float64)
    weights[counts > 0] = torch.from_numpy(compute_class_weight("balanced", classes=np.unique(y), y=y))
    return weights
