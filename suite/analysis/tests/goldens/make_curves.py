"""Writes curves.json: what scikit-learn, SciPy and brute force say about the curves and areas of haltbench_analysis.

    pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 && python make_curves.py

Isotonic fits are scikit-learn's. Bent lines are least-squares fits with numpy.linalg.lstsq of three columns for every bend. Areas below a
frontier are SciPy's quadrature of the largest accuracy over all mixtures of two points; a hypervolume is the sum of the cells, between
neighbouring coordinates, whose centre is dominated.
"""

import itertools
import json
import pathlib

import numpy as np
import sklearn
from scipy import integrate
from sklearn.isotonic import IsotonicRegression

rng = np.random.default_rng(20260606)


def isotonic(name, y, w):
    fit = IsotonicRegression().fit_transform(np.arange(len(y)), y, sample_weight=w)
    return dict(name=name, values=[float(v) for v in y], weights=[float(v) for v in w], fitted=fit.tolist())


sequences = [
    isotonic("rising", [1, 2, 3], [1, 1, 1]), isotonic("falling", [3, 2, 1], [1, 2, 1]), isotonic("one", [4], [2]),
    isotonic("constant", [2, 2, 2], [1, 1, 1]), isotonic("noise", rng.normal(size=40).round(4), np.ones(40)),
    isotonic("weights", (np.arange(30) / 10 + rng.normal(size=30)).round(4), rng.integers(1, 9, 30)),
    isotonic("ties", rng.integers(0, 3, 25), rng.integers(1, 4, 25)), isotonic("large", 1e9 + np.array([3, 1, 2, 5, 4]), [1, 1, 1, 1, 1]),
]


def isotonic_fit(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    fit = IsotonicRegression().fit(x, y)
    levels = np.unique(x)
    means = np.array([y[x == own].mean() for own in levels])
    share = lambda own: 1 - np.sum((y - own) ** 2) / np.sum((y - y.mean()) ** 2)
    return dict(name=name, x=x.tolist(), y=y.tolist(), levels=levels.tolist(), means=means.tolist(), fitted=fit.predict(levels).tolist(),
                r_squared=float(share(fit.predict(x))), largest=float(share(means[np.searchsorted(levels, x)])))


c = rng.integers(0, 8, 120)
fits = [
    isotonic_fit("depth-like", c, np.clip(np.round(1 + 0.5 * c + rng.normal(size=120)), 1, 5)),
    isotonic_fit("falling", c, -c + rng.normal(size=120).round(3)), isotonic_fit("hump", c, -((c - 3.0) ** 2)),
    isotonic_fit("two", [0, 1], [3, 5]), isotonic_fit("perfect", c, c ** 2),
]


def phases(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    n = len(x)
    squares = lambda design: (lambda b: (np.sum((y - design @ b) ** 2), b))(np.linalg.lstsq(design, y, rcond=None)[0])
    line, _ = squares(np.column_stack([np.ones(n), x]))
    found = [(squares(np.column_stack([np.ones(n), x, np.maximum(x - x[k], 0)])), k) for k in range(2, n - 2)]
    (best, b), place = min(found, key=lambda own: own[0][0])
    bic = lambda s, parameters: n * np.log(s / n) + parameters * np.log(n)
    return dict(name=name, x=x.tolist(), y=y.tolist(), place=place, before=float(b[1]), after=float(b[1] + b[2]),
                rise=float(b[1] * (x[place] - x[0])), fall=float(-(b[1] + b[2]) * (x[-1] - x[place])), evidence=float(bic(line, 2) - bic(best, 4)))


t = np.arange(30.0) * 500
noise = rng.normal(size=30).round(4)
bends = [
    phases("rise and fall", t, np.where(t < 4000, 1 + t / 1000, 5 - (t - 4000) / 5000) + 0.2 * noise),
    phases("rise alone", t, t / 3000 + 0.2 * noise), phases("noise", t, 2 + noise),
    phases("fall, then rise", t, abs(t - 6000) / 2000 + 0.1 * noise), phases("five points", [0, 1, 2, 3, 4], [0, 1.1, 2, 1.2, 0.3]),
    phases("saturating", t, 3 - 2 * np.exp(-t / 2000) + 0.05 * noise),
    phases("uneven steps", np.cumsum(rng.integers(1, 9, 25)), np.sin(np.arange(25) / 8) + 0.05 * noise[:25]),
]


def mixed(points, cost):
    best = [accuracy for c, accuracy in points if c <= cost]
    for (c1, a1), (c2, a2) in itertools.permutations(points, 2):
        if c1 <= cost < c2:
            best.append(a1 + (a2 - a1) * (cost - c1) / (c2 - c1))
    return max(best)


def area(points, low, high):
    points = [(float(a), float(b)) for a, b in points]
    kinks = sorted(c for c, _ in points if low < c < high)
    ends = [low, *kinks, high]
    total = lambda of: sum(integrate.quad(of, a, b, epsabs=1e-13)[0] for a, b in zip(ends, ends[1:]))
    return dict(points=points, low=low, high=high, linear=total(lambda c: mixed(points, c)) / (high - low),
                logarithmic=total(lambda c: mixed(points, c) / c) / np.log(high / low))


random = list(zip(rng.uniform(1, 15, 12).round(2), rng.random(12).round(3)))
cheapest = min(c for c, _ in random)
areas = [
    area([(1, 0.2), (2, 0.5), (3, 0.45), (4, 0.8), (6, 0.8)], 1.0, 6.0), area([(1, 0.2), (2, 0.5), (3, 0.45), (4, 0.8)], 1.5, 9.0),
    area([(2, 0.7)], 2.0, 3.0), area(random, float(cheapest), 14.0), area([(1, 0.3), (1, 0.6), (5, 0.61)], 1.0, 4.0),
]


def hypervolume(points, reference):
    points = [(float(a), float(b)) for a, b in points]
    xs = sorted({c for c, _ in points} | {reference[0]})
    ys = sorted({a for _, a in points} | {reference[1]})
    volume = 0.0
    for (x1, x2), (y1, y2) in itertools.product(zip(xs, xs[1:]), zip(ys, ys[1:])):
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        if x < reference[0] and y > reference[1] and any(c < x and a > y for c, a in points):
            volume += (x2 - x1) * (y2 - y1)
    return dict(points=points, reference=list(reference), volume=volume)


volumes = [
    hypervolume([(1, 0.2), (2, 0.5), (3, 0.45), (4, 0.8)], (6.0, 0.1)), hypervolume([(2, 0.7)], (2.0, 0.1)), hypervolume([(2, 0.1)], (5.0, 0.1)),
    hypervolume(random, (12.0, 0.25)), hypervolume([(1, 0.5), (1, 0.5), (1, 0.7)], (3.0, 0.0)), hypervolume([(3, 0.9), (-1, 0.2)], (4.0, 0.0)),
]

result = dict(versions=dict(sklearn=sklearn.__version__, numpy=np.__version__), sequences=sequences, fits=fits, bends=bends, areas=areas, volumes=volumes)
lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in result.items())
pathlib.Path(__file__).with_name("curves.json").write_text("{\n" + lines + "\n}\n")
