"""Writes regression.json: what statsmodels, scikit-learn and NumPy say about the regressions of haltbench_analysis.

    pip install statsmodels==0.14.6 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 && python make_regression.py

Nothing here shares an algorithm with the crate, which works on triangular factors: fits are statsmodels' (pseudo-inverse of the whole
design), variance inflation comes from statsmodels' auxiliary regressions and from determinants, Shapley shares from all orders of
joining instead of subsets, cross-validated R² from scikit-learn on rows that are really left out. NIST's certified values of the
Longley data are at https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml.
"""

import itertools
import json
import math
import pathlib

import numpy as np
import sklearn
import statsmodels
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from statsmodels.stats.outliers_influence import variance_inflation_factor

rng = np.random.default_rng(20260202)
FOLDS = 5


def clean(value):
    """Rounding below the 15th digit is not worth a byte."""
    if isinstance(value, dict):
        return {key: clean(own) for key, own in value.items()}
    if isinstance(value, list):
        return [clean(own) for own in value]
    return float(f"{value:.15g}") if isinstance(value, float) else value


def number(group, values):
    return dict(group=group, values=[float(v) for v in values])


def category(group, codes):
    return dict(group=group, codes=[int(v) for v in codes])


def one_hot(codes):
    return [(f"={level}", (np.asarray(codes) == level).astype(float)) for level in sorted(set(codes))[1:]]


def columns(features, rows=slice(None)):
    """Name, group, feature and values of every column, without features that are constant or miss values."""
    found = []
    for name, feature in features.items():
        if "codes" in feature:
            found += [(name + level, feature["group"], name, own[rows]) for level, own in one_hot(feature["codes"])]
        elif np.all(np.isfinite(feature["values"])) and np.ptp(feature["values"]) > 0:
            found.append((name, feature["group"], name, np.asarray(feature["values"])[rows]))
    return found


def r_squared(design, y):
    if not design:
        return 0.0
    design = np.column_stack(design)
    return sm.OLS(y, sm.add_constant(design - design.mean(axis=0), has_constant="add")).fit().rsquared


def shapley(players, y):
    """Mean increase of R² over all orders of joining."""
    known = {}

    def of(joined):
        key = frozenset(joined)
        if key not in known:
            known[key] = r_squared([own for player in sorted(key) for own in players[player]], y)
        return known[key]

    total = dict.fromkeys(players, 0.0)
    for order in itertools.permutations(players):
        for place, player in enumerate(order):
            total[player] += of(order[: place + 1]) - of(order[:place])
    return {player: value / math.factorial(len(players)) for player, value in total.items()}


def shares(found, y, by):
    players = {}
    for own in found:
        players.setdefault(own[by], []).append(own[3])
    whole = r_squared([own[3] for own in found], y)
    value = shapley(players, y) if len(players) <= 7 else None
    return [
        dict(name=player, alone=r_squared(own, y),
             unique=whole - r_squared([v for other, w in players.items() if other != player for v in w], y),
             shapley=value[player] if value else None)
        for player, own in players.items()
    ]


def fold_of(clusters):
    """The k-th smallest id of N is in block k modulo min(N, 50), and block b in fold b modulo the folds."""
    distinct = sorted(set(clusters))
    blocks = min(len(distinct), 50)
    return np.array([distinct.index(own) % blocks % FOLDS for own in clusters])


def case(name, features, y, clusters=None, dependent=(), **extra):
    """`dependent` names columns that the crate leaves out: statsmodels fits the others."""
    y = np.asarray(y, float)
    clusters = list(range(len(y))) if clusters is None else [int(c) for c in clusters]
    found = columns(features)
    kept = [own for own in found if own[0] not in dependent]
    design = np.column_stack([own[3] for own in kept])
    offset = design.mean(axis=0).round() if extra.pop("shift", False) else np.zeros(design.shape[1])
    design = design - offset  # exact, and harmless to all but the intercept; the pseudo-inverse would cut off large offsets
    with_constant = sm.add_constant(design, has_constant="add")
    fit = sm.OLS(y, with_constant).fit()
    rows, width = design.shape
    result = dict(name=name, features=features, y=y.tolist(), clusters=clusters, dependent=list(dependent),
                  columns=[own[0] for own in kept], r_squared=fit.rsquared,
                  adjusted=fit.rsquared_adj if rows >= width + 2 else None,
                  intercept=fit.params[0] - offset @ fit.params[1:], coefficients=fit.params[1:].tolist(),
                  standardised=(fit.params[1:] * design.std(axis=0) / y.std()).tolist())
    if extra.pop("inflation", True):
        result["inflation"] = [variance_inflation_factor(with_constant, place + 1) for place in range(width)]
        correlation = np.corrcoef(design, rowvar=False).reshape(width, width)
        of = lambda places: np.linalg.det(correlation[np.ix_(places, places)])
        generalised = {}
        for feature in dict.fromkeys(own[2] for own in kept):
            inside = [place for place, own in enumerate(kept) if own[2] == feature]
            outside = [place for place in range(width) if place not in inside]
            generalised[feature] = of(inside) * of(outside) / of(range(width))
        result["generalised"] = generalised
    if extra.pop("share", True):
        result["groups"] = shares(found, y, 1)
        result["by_feature"] = shares(found, y, 2)
    if extra.pop("folds", True) and len(set(clusters)) >= FOLDS:
        fold = fold_of(clusters)
        splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
        predicted = cross_val_predict(LinearRegression(), design, y, cv=splits)
        result["cross_validated"] = r2_score(y, predicted)
    return {**result, **extra}


n = 160
size = rng.integers(3, 8, n)
degree = rng.integers(0, 5, n).astype(float)
position = rng.integers(0, 20, n).astype(float)
frontier = np.round(0.5 * size + 0.3 * degree + rng.normal(size=n), 3)
height = np.round(0.2 * position + rng.normal(size=n), 3)
depth = np.round(1 + 0.4 * size + 0.3 * frontier - 0.2 * height + 0.5 * rng.normal(size=n), 4)
sequences = np.sort(rng.integers(0, 70, n)) * 17
base = dict(size=category("size", size), degree=number("static", degree), position=number("static", position),
            frontier=number("state", frontier), height=number("state", height))
small = slice(0, 40)
noise = rng.normal(size=40).round(4)
longley = sm.datasets.longley.load_pandas()
exact = rng.integers(0, 9, size=(30, 2)).astype(float)

cases = [
    case("groups and clusters", base, depth, sequences),
    case("one feature", dict(degree=base["degree"]), depth),
    case("duplicate", dict(degree=number("a", degree[small]), twice=number("b", 5 - 2 * degree[small]), frontier=number("b", frontier[small])),
         depth[small], dependent=["twice"], folds=False, dropped=[["twice", "duplicate"]]),
    case("sum of two", dict(a=number("a", degree[small]), b=number("a", position[small]), sum=number("b", degree[small] + position[small]),
                            c=number("c", frontier[small])), depth[small], dependent=["sum"], folds=False),
    case("category implies category", dict(size=category("a", size[small]), large=category("b", size[small] > 5)), depth[small],
         dependent=["large=1"], folds=False),
    case("large offset", dict(year=number("a", 1e9 + np.arange(40.0)), noise=number("b", noise)), 1e6 + depth[small], shift=True),
    case("nearly collinear", dict(a=number("a", noise), b=number("b", noise + 1e-4 * frontier[small])), depth[small]),
    case("perfect", dict(a=number("a", exact[:, 0]), b=number("b", exact[:, 1])), 2 + 3 * exact[:, 0] - exact[:, 1]),
    case("as many columns as rows", dict(a=number("a", [1, 2, 4, 3]), b=number("a", [2, 1, 1, 5]), c=number("b", [0, 1, 0, 0])), [1, 2, 2, 5],
         inflation=False, folds=False),
    case("two rows", dict(a=number("a", [1, 2])), [3, 1], folds=False, inflation=False),
    case("rare category", dict(rare=category("a", [9] + [2] * 39), degree=number("b", degree[small])), depth[small], folds=False),
    case("nothing explained", dict(a=number("a", [1, -1, 1, -1]), b=number("b", [1, 1, -1, -1])), [1, -1, -1, 1], inflation=False, folds=False),
    case("longley", {name: number(name, longley.exog[name]) for name in longley.exog}, longley.endog, folds=False),
]
certified = dict(r_squared=0.995479004577296, intercept=-3482258.63459582, coefficients=[
    15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359, -0.511041056535807e-01, 1829.15146461355])

result = dict(versions=dict(statsmodels=statsmodels.__version__, sklearn=sklearn.__version__, numpy=np.__version__), cases=cases,
              certified=certified)
path = pathlib.Path(__file__).with_name("regression.json")
lines = ",\n".join(f"  {json.dumps(clean(own), allow_nan=False)}" for own in cases)
head = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items() if key != "cases")
path.write_text("{\n" + head + ',\n "cases": [\n' + lines + "\n ]\n}\n")
