"""Checks a finished cell of `mano-stream` under ANIRA-E or ANIRA-O against the model in PyTorch and against pandas.

    python check_cell.py runs/quick/<cell id>

The prompt is read back from tokens.parquet, the weights from runs/models/; depths, predictions and confidences must be
those of the model here, and the numbers of result.json those that pandas computes from tokens.parquet.
"""

import json
import sys
import tomllib
from pathlib import Path

import pandas as pd
import torch

from model import load


def model_of(folder: Path) -> str:
    """The identifier of the model that the cell is of."""
    return json.loads((folder / "result.json").read_text())["model"]


def check_model(folder: Path, table: pd.DataFrame) -> int:
    model = load(folder.parent.parent / "models" / model_of(folder)).eval()
    checked = 0
    with torch.no_grad():
        for _, tokens in table.groupby("instance", sort=False):
            tokens = tokens.sort_values("position")
            ids = torch.tensor(tokens["input_token"].to_numpy(dtype="int64"))
            out = model(ids[None], torch.tensor([len(ids)]))
            assert out.depths[0].tolist() == tokens["depth"].tolist(), f"depths of {tokens['instance'].iloc[0]}"
            answers = torch.tensor(tokens["is_answer"].tolist())
            confidence, predicted = torch.softmax(out.logits[0], -1).max(-1)
            graded = tokens[tokens["is_answer"]]
            assert predicted[answers].tolist() == graded["predicted"].astype(int).tolist()
            difference = (confidence[answers] - torch.tensor(graded["confidence"].tolist())).abs().max()
            assert difference < 1e-4, f"confidence differs by {difference}"
            checked += len(ids)
    return checked


def spearman(rows: pd.DataFrame, complexity: str) -> float:
    return rows["depth"].corr(rows[complexity], method="spearman")


def check_measures(folder: Path, table: pd.DataFrame) -> int:
    rows = json.loads((folder / "result.json").read_text())["metrics"]
    answers = table[table["is_answer"]]
    # Tokens stand where their own sizes do, sequences where the hardest of their tokens does.
    order = ["in_range", "embedded", "between", "beyond"]
    of_sequence = table["split"].map(order.index).groupby(table["instance"]).transform("max").map(order.__getitem__)
    checked = 0
    for row in rows:
        if row["split"] is None or row["population"] != "all" or row["value"] is None:
            continue
        part, everything = answers[answers["split"] == row["split"]], table[of_sequence == row["split"]]
        if row["level"] is not None:
            part = part[part[f"complexity_{row['complexity']}"] == row["level"]]
        complexity = f"complexity_{row['complexity']}"
        expected = {
            "token_accuracy": lambda: part["correct"].astype(float).mean(),
            "token_accuracy_by_level": lambda: part["correct"].astype(float).mean(),
            "exact_match": lambda: everything[everything["is_answer"]].groupby("instance")["correct"].all().mean(),
            "answer_depth": lambda: part["depth"].mean(),
            "answer_depth_by_level": lambda: part["depth"].mean(),
            "depth": lambda: everything["depth"].mean(),
            "flops": lambda: everything["flops"].mean(),
            "flops_share": lambda: everything["flops"].sum() / everything["dense_flops"].sum(),
            "spearman_above_lowest": lambda: spearman(part[part[complexity] > part[complexity].min()], complexity),
            "spearman": lambda: spearman(part, complexity),
            "tau_b": lambda: part["depth"].corr(part[complexity], method="kendall"),
        }.get(row["metric"])
        if expected is not None:
            error = abs(expected() - row["value"]) / max(1.0, abs(row["value"]))
            assert error < 1e-6, (row, expected())
            checked += 1
    return checked


def main() -> None:
    folder = Path(sys.argv[1])
    plan = tomllib.loads((folder / "plan.toml").read_text())
    table = pd.read_parquet(folder / "tokens.parquet")
    name = plan["policy"]["name"]
    print(f"{name}: {check_measures(folder, table)} measures agree with pandas")
    if name in ("anira-e", "anira-o"):
        # The reference knows one option, and the depth that a model was trained for.
        assert (plan["halted_keys_values"], plan["max_depth"]) == ("freeze-state", plan["model"]["max_depth"])
        print(f"{name}: depths, predictions and confidences of {check_model(folder, table)} tokens agree")


if __name__ == "__main__":
    main()
