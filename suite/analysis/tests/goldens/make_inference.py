"""Writes inference.json: what SciPy and statsmodels say about the intervals, tests and power of haltbench_analysis.

    pip install scipy==1.17.1 statsmodels==0.14.6 numpy==2.4.6 && python make_inference.py

Bootstrap intervals are computed by SciPy, and the crate gets the statistics of SciPy's resamples. Permutation tests are SciPy's, exact.
Power is statsmodels' noncentral t where problems add no variance, and otherwise a simulation of the decision rule with 400,000 tables.
"""

import json
import pathlib

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

rng = np.random.default_rng(20260404)


def clean(values):
    return [float(f"{v:.12g}") for v in np.asarray(values, float)]


def bootstrap(name, samples, statistic, paired=False):
    samples = tuple(np.array(clean(own)) for own in samples)
    results = {kind: stats.bootstrap(samples, statistic, n_resamples=399, paired=paired, vectorized=False, method=kind,
                                     rng=np.random.default_rng(5)) for kind in ("percentile", "BCa")}
    value = float(statistic(*samples))
    number = len(samples[0])
    without = [float(statistic(*(np.delete(own, k) for own in samples))) for k in range(number)]
    percentile, accelerated = results["percentile"], results["BCa"]
    assert np.array_equal(percentile.bootstrap_distribution, accelerated.bootstrap_distribution)
    return dict(name=name, value=value, replicates=percentile.bootstrap_distribution.tolist(), without=without,
                deviation=float(percentile.standard_error), percentile=list(map(float, percentile.confidence_interval)),
                accelerated=list(map(float, accelerated.confidence_interval)))


a, b = rng.normal(size=25), rng.normal(size=25)
bootstraps = [
    bootstrap("mean", (a,), np.mean),
    bootstrap("skewed", (np.exp(a),), np.mean),
    bootstrap("variance", (a,), np.var),
    bootstrap("correlation, paired", (a, a + b), lambda x, y: stats.pearsonr(x, y).statistic, paired=True),
    bootstrap("few values", (rng.integers(0, 3, 12),), np.mean),
]


def flips(name, differences):
    d = np.array(clean(differences))
    p = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided").pvalue
    return dict(name=name, differences=d.tolist(), mean=float(d.mean()), p=float(p))


sign_flips = [
    flips("two", [0.3, 0.1]), flips("five of one sign", [0.3, 0.1, 0.2, 0.4, 0.3]),
    flips("ties", [1, 1, -1, 2, 1, 1, 3]), flips("zeros", [0, 0, 1, 2, -1, 0, 3]), flips("twelve", rng.normal(size=12) + 0.5),
    flips("opposite", [1, -1]), flips("tenths", [0.1, 0.2, 0.3, -0.6, 0.1]),
]
# Exact p values of more differences than the crate enumerates, from the distribution of integer sums.
many = []
for name, shift in (("equal", 0), ("shifted", 1)):
    d = rng.integers(-4, 5, 40) + shift * (rng.random(40) < 0.5)
    ways = np.zeros(2 * abs(d).sum() + 1)
    middle = abs(d).sum()
    ways[middle] = 1
    for size in abs(d):
        ways = (np.roll(ways, size) + np.roll(ways, -size)) / 2
    sums = np.arange(-middle, middle + 1)
    many.append(dict(name=name, differences=d.astype(float).tolist(), p=float(ways[abs(sums) >= abs(d.sum())].sum())))


def adjusted(p):
    return dict(p=[float(v) for v in p], holm=multipletests(p, method="holm")[1].tolist(),
                benjamini_hochberg=multipletests(p, method="fdr_bh")[1].tolist())


adjustments = [adjusted(p) for p in (
    [0.04], [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.2], [0.0, 1.0, 0.5], [0.9, 0.95, 0.99], rng.random(30).round(4),
    np.concatenate([rng.random(20) * 1e-3, rng.random(5)]).round(8))]

t_tests = []
for number, shift, null in ((2, 1, 0), (5, 0.3, 0), (12, 1, 0.5), (40, 0.2, 0), (60, 2, 0)):
    d = np.array(clean(rng.normal(size=number) + shift))
    t_tests.append(dict(values=d.tolist(), null=null, p=float(stats.ttest_1samp(d, null).pvalue)))

test = TTestPower()
noncentral = []
for seeds, effect in ((2, 0.5), (2, 4), (3, 1), (3, 3), (5, 0), (5, 0.4), (5, 1.5), (10, 1), (40, 0.3), (200, 0.25)):
    power = test.power(effect, seeds, 0.05)
    noncentral.append(dict(seeds=seeds, effect=effect, power=float(power)))
smallest = [dict(seeds=seeds, power=power, effect=float(test.solve_power(None, seeds, 0.05, power)))
            for seeds, power in ((3, 0.8), (5, 0.8), (5, 0.9), (20, 0.8), (100, 0.5))]
needed = []
for effect, power in ((3, 0.8), (1, 0.8), (0.5, 0.9), (0.1, 0.8), (4.5, 0.3)):
    seeds = next(n for n in range(2, 10_000) if test.power(effect, n, 0.05) >= power)
    needed.append(dict(effect=effect, power=power, seeds=seeds))

crossed_power = []
for seeds, between, problems_variance, problems, difference in ((3, 1.0, 0.2, 30, 2.0), (5, 1.0, 0.5, 60, 2.0), (3, 0.1, 1.0, 40, 3.0), (2, 1.0, 0.1, 50, 5.0)):
    draws = 400_000
    seed_effects = np.sqrt(between) * rng.normal(size=(draws, seeds))
    mean = difference + seed_effects.mean(1) + np.sqrt(problems_variance) * rng.normal(size=draws)
    width = np.sqrt(stats.t.ppf(0.975, seeds - 1) ** 2 * seed_effects.var(1, ddof=1) / seeds + stats.t.ppf(0.975, problems - 1) ** 2 * problems_variance)
    crossed_power.append(dict(seeds=seeds, between_seeds=between, from_problems=problems_variance, problems=problems,
                              difference=difference, power=float(np.mean(abs(mean) > width))))

result = dict(versions=dict(scipy=scipy.__version__, statsmodels=statsmodels.__version__, numpy=np.__version__), bootstraps=bootstraps,
              sign_flips=sign_flips, many_sign_flips=many, adjustments=adjustments, t_tests=t_tests, noncentral=noncentral,
              smallest=smallest, needed=needed, crossed_power=crossed_power)
lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in result.items())
pathlib.Path(__file__).with_name("inference.json").write_text("{\n" + lines + "\n}\n")
