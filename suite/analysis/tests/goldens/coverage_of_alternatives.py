"""Prints how often the intervals hold the truth that this crate does not use: what its own are compared with.

    pip install scipy==1.17.1 numpy==2.4.6 && python coverage_of_alternatives.py

Satterthwaite: the two-way random-effects interval with Satterthwaite's degrees of freedom, floored (variance not below that of one
part, degrees of freedom not below S - 1). Games-Howell: simultaneous differences of all pairs from the studentised range with
the same variances and degrees of freedom. Largest t: what |t| of all pairs of equal policies exceeds in 5 % of cases where seeds
are all that varies, beside Sidak's quantile. Tables are those of tests/coverage: 60 sequences, variance of sequences and rest one,
variance of seeds `ratio` times what the others give to the mean of one seed.
"""

import itertools

import numpy as np
from scipy import stats

rng = np.random.default_rng(1)
SEQUENCES = 60


def tables(trials, seeds, ratio):
    shape = (trials, seeds, SEQUENCES)
    return (np.sqrt(2 * ratio / SEQUENCES) * rng.normal(size=(trials, seeds, 1)) + rng.normal(size=(trials, 1, SEQUENCES))
            + rng.normal(size=shape))


def satterthwaite(y):
    s, n = y.shape[1:]
    mean = y.mean((1, 2))
    a, b = y.mean(2) - mean[:, None], y.mean(1) - mean[:, None]
    e = y - mean[:, None, None] - a[:, :, None] - b[:, None, :]
    msa, msb = n * (a**2).sum(1) / (s - 1), s * (b**2).sum(1) / (n - 1)
    mse = (e**2).sum((1, 2)) / ((s - 1) * (n - 1))
    total = msa + msb - mse
    df = total**2 / (msa**2 / (s - 1) + msb**2 / (n - 1) + mse**2 / ((s - 1) * (n - 1)))
    return mean, np.maximum(total, np.maximum(msb, mse)) / (s * n), np.maximum(df, s - 1)


for seeds in (2, 3, 5, 10):
    shares = []
    for ratio in (0, 1, 10, 100, 140):
        mean, variance, df = satterthwaite(tables(4000, seeds, ratio))
        shares.append(np.mean(abs(mean) <= stats.t.ppf(0.975, df) * np.sqrt(variance)))
    print("Satterthwaite", seeds, *(f"{share:.3f}" for share in shares))

grid = np.concatenate([np.linspace(1, 10, 40), np.linspace(11, 600, 40)])
for policies in (4, 6):
    quantiles = [stats.studentized_range.ppf(0.95, policies, df) for df in grid]
    for seeds in (2, 3, 5, 10):
        shares = []
        for ratio in (0, 1, 10, 100):
            y = [tables(1500, seeds, ratio) for _ in range(policies)]
            holds = np.ones(1500, bool)
            for i, j in itertools.combinations(range(policies), 2):
                mean, variance, df = satterthwaite(y[i] - y[j])
                holds &= abs(mean) <= np.interp(df, grid, quantiles) / np.sqrt(2) * np.sqrt(variance)
            shares.append(np.mean(holds))
        print("Games-Howell", policies, seeds, *(f"{share:.3f}" for share in shares))

for policies in (4, 6, 12, 19):
    first, second = np.triu_indices(policies, 1)
    for seeds in (2, 3, 5, 10):
        y = rng.normal(size=(3000, policies, seeds))
        difference = y[:, first] - y[:, second]
        t = abs(difference.mean(2)) / (difference.std(2, ddof=1) / np.sqrt(seeds))
        sidak = stats.t.ppf((1 + 0.95 ** (1 / len(first))) / 2, seeds - 1)
        print("Largest t", policies, seeds, f"{np.quantile(t.max(1), 0.95):.1f} {sidak:.1f}")
