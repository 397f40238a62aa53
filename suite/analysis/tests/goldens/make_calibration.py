"""Writes calibration.json: what scikit-learn and brute force say about the calibration of haltbench_analysis.

    pip install scikit-learn==1.9.1 numpy==2.4.6 && python make_calibration.py

Bins are those of sklearn.calibration.calibration_curve; the terms of the Brier score come from their definitions, each by a loop over
observations. The area under the risk-coverage curve is a mean over random orders of tied answers: the expected number of errors among
the first k of a tie is the mean of a hypergeometric distribution, and cases of up to eight answers are held against all orders.
"""

import itertools
import json
import math
import pathlib
import warnings

import numpy as np
import sklearn
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

warnings.simplefilter("ignore")
rng = np.random.default_rng(20260303)


def edges(scores, kind, number):
    if kind == "equal_width":
        return np.linspace(0, 1, number + 1)
    return np.percentile(scores, np.linspace(0, 100, number + 1))


def reliability(scores, events, kind, number):
    share, score = calibration_curve(events, scores, n_bins=number, strategy="uniform" if kind == "equal_width" else "quantile")
    place = np.searchsorted(edges(scores, kind, number)[1:-1], scores)
    counts = np.array([np.sum(place == own) for own in np.unique(place)])
    gaps = abs(share - score)
    mean = {own: (scores[place == own].mean(), events[place == own].mean()) for own in np.unique(place)}
    rate = events.mean()
    terms = np.array([[(mean[own][0] - mean[own][1]) ** 2, (mean[own][1] - rate) ** 2, (s - mean[own][0]) ** 2,
                       2 * (s - mean[own][0]) * (e - mean[own][1])] for s, e, own in zip(scores, events, place)]).mean(axis=0)
    return dict(kind=kind, number=number, counts=counts.tolist(), scores=score.tolist(), shares=share.tolist(),
                expected_error=float(gaps @ counts / len(scores)), largest_error=float(gaps.max()),
                reliability=terms[0], resolution=terms[1], within=terms[2] - terms[3], uncertainty=rate * (1 - rate))


def curve(scores, correct):
    """Points, and the mean risk over all orders of ties."""
    points = [[float(t), float(np.mean(scores >= t)), float(1 - correct[scores >= t].mean())] for t in sorted(set(scores))[::-1]]
    risks = []
    for k in range(1, len(scores) + 1):
        t = np.sort(scores)[::-1][k - 1]
        above, tied = scores > t, scores == t
        wrong = np.sum(~correct[above])
        j = k - above.sum()
        # Errors among the first j of a tie, in random order.
        risks.append((wrong + stats.hypergeom.mean(tied.sum(), np.sum(~correct[tied]), j)) / k)
    return points, float(np.mean(risks))


def area_over_orders(scores, correct):
    areas = []
    for order in itertools.permutations(range(len(scores))):
        own = scores[list(order)]
        if np.all(np.diff(own) <= 0):
            areas.append(np.mean(np.cumsum(~correct[list(order)]) / np.arange(1, len(scores) + 1)))
    return float(np.mean(areas))


def case(name, scores, events, bins=((10, "equal_width"), (5, "equal_mass"), (15, "equal_mass"), (1, "equal_width"))):
    scores, events = np.asarray(scores, float), np.asarray(events, bool)
    both = 0 < events.sum() < len(events)
    points, area = curve(scores, events)
    if len(scores) <= 8:
        assert math.isclose(area, area_over_orders(scores, events), abs_tol=1e-12), name
    best = np.mean(np.cumsum(np.sort(~events)) / np.arange(1, len(events) + 1))
    return dict(name=name, scores=scores.tolist(), events=events.tolist(),
                bins=[reliability(scores, events, kind, number) for number, kind in bins],
                brier=float(brier_score_loss(events, scores)) if both else float(np.mean((scores - events) ** 2)),
                auroc=float(roc_auc_score(events, scores)) if both else None, points=points, area=area, excess=area - float(best))


p = rng.random(300).round(6)
cases = [
    case("calibrated", p, rng.random(300) < p),
    case("overconfident", p, rng.random(300) < 0.3 + 0.4 * p),
    case("ties", rng.integers(0, 9, 200) / 8, rng.random(200) < 0.6),
    case("two scores", rng.integers(0, 2, 30) * 0.5 + 0.25, rng.random(30) < 0.5),
    case("constant score", np.full(20, 0.7), np.arange(20) % 3 == 0),
    case("perfect", np.arange(10) >= 4, np.arange(10) >= 4),
    case("worst", np.arange(10) < 4, np.arange(10) >= 4),
    case("all events", p[:12], np.full(12, True)),
    case("no event", p[:12], np.full(12, False)),
    case("one", [0.3], [True]),
    case("edges", np.arange(9) / 8, np.arange(9) % 2 == 0, bins=((8, "equal_width"), (4, "equal_width"), (4, "equal_mass"))),
    case("few and tied", [0.9, 0.5, 0.5, 0.5, 0.2, 0.2, 0.1], [1, 0, 1, 1, 0, 1, 0]),
]
lines = ",\n".join(f"  {json.dumps(own, allow_nan=False)}" for own in cases)
versions = json.dumps(dict(sklearn=sklearn.__version__, numpy=np.__version__))
pathlib.Path(__file__).with_name("calibration.json").write_text(f'{{\n "versions": {versions},\n "cases": [\n{lines}\n ]\n}}\n')
