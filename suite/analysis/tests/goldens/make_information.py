"""Writes information.json: what scikit-learn and SciPy say about the mutual information of haltbench_analysis.

    pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 && python make_information.py

Entropies are SciPy's, mutual information scikit-learn's; the Miller-Madow correction adds (m - 1) / 2n to each of three entropies. p values
of small samples come from all permutations, means of the null from scikit-learn's expected mutual information (the hypergeometric model).
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import sklearn
from scipy import stats
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

warnings.simplefilter("ignore")
rng = np.random.default_rng(20260505)


def case(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    entropy = lambda *of: float(stats.entropy(np.unique(np.column_stack(of), axis=0, return_counts=True)[1]))
    cells = lambda *of: len(np.unique(np.column_stack(of), axis=0))
    n = len(x)
    corrected = lambda *of: entropy(*of) + (cells(*of) - 1) / (2 * n)
    plug_in = float(mutual_info_score(x, y))
    return dict(name=name, x=x.tolist(), y=y.tolist(), plug_in=plug_in, miller_madow=corrected(x) + corrected(y) - corrected(x, y),
                normalised=float(normalized_mutual_info_score(x, y, average_method="min")), entropy_x=entropy(x), entropy_y=entropy(y),
                expected=float(expected_mutual_information(contingency_matrix(x, y, sparse=True), n)))


x = rng.integers(0, 6, 200)
cases = [
    case("depth-like", x, np.clip(np.round(0.6 * x + rng.normal(size=200)), 1, 5)),
    case("independent", x, rng.integers(1, 5, 200)),
    case("determined", x, x % 3),
    case("one to one", x, 7 - 2 * x),
    case("not monotone", x, (x - 2.5) ** 2),
    case("all different", np.arange(12), rng.permutation(12)),
    case("two observations", [0, 1], [5, 3]),
    case("binary", rng.integers(0, 2, 30), rng.integers(0, 2, 30)),
    case("fractions", rng.integers(0, 3, 50) / 3, rng.integers(0, 3, 50) / 7),
]


def null(name, x, y, strata=None):
    """Exact p value over all permutations within strata."""
    x, y = np.asarray(x), np.asarray(y)
    strata = np.zeros(len(x)) if strata is None else np.asarray(strata)
    rows = [np.flatnonzero(strata == own) for own in np.unique(strata)]
    observed = mutual_info_score(x, y)
    values = []
    for orders in itertools.product(*(itertools.permutations(own) for own in rows)):
        permuted = y.copy()
        for own, order in zip(rows, orders):
            permuted[own] = y[list(order)]
        values.append(mutual_info_score(x, permuted))
    values = np.array(values)
    return dict(name=name, x=x.astype(float).tolist(), y=y.astype(float).tolist(), strata=strata.astype(float).tolist(),
                mean=float(values.mean()), deviation=float(values.std()), p=float(np.mean(values >= observed - 1e-12)))


nulls = [
    null("seven", [0, 0, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2, 3]),
    null("independent", [0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 1, 2, 2, 0]),
    null("strata", [0, 0, 1, 1, 2, 2, 3, 3, 3], [1, 1, 2, 2, 4, 4, 5, 5, 4], [0, 0, 0, 0, 1, 1, 1, 1, 1]),
    null("stratum explains all", [0, 1, 0, 1, 5, 6, 5, 6], [0, 0, 1, 1, 3, 3, 4, 4], [0, 0, 0, 0, 1, 1, 1, 1]),
]

result = dict(versions=dict(sklearn=sklearn.__version__, numpy=np.__version__), cases=cases, nulls=nulls)
lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in result.items())
pathlib.Path(__file__).with_name("information.json").write_text("{\n" + lines + "\n}\n")
