"""Writes traces of a small recurrent model and, beside them, the decisions that PyTorch takes on them.

    python check_trace.py FOLDER

FOLDER/expected.json then has a list of {"file", "policy", "set", "depths", "scores"}; scores are those of the steps before
the exit and at it.
"""

import json
import sys
from pathlib import Path

import torch

from export_trace import export_trace

LENGTHS, STEPS, WIDTH, VOCABULARY = [5, 1, 9], 7, 12, 6


def exits(values: torch.Tensor, halts: torch.Tensor) -> dict:
    """Depths and scores of a policy that is asked after every step but the last: values and halts are [D, tokens]."""
    depths, scores = [], []
    for value, halt in zip(values.T.tolist(), halts.T.tolist()):
        exit = next((step + 1 for step in range(STEPS - 1) if halt[step]), STEPS)
        asked = min(exit, STEPS - 1)
        depths.append(exit)
        scores.append(value[:asked] + [None] * (STEPS - asked))
    return {"depths": depths, "scores": scores}


def main(folder: Path) -> None:
    torch.manual_seed(7)
    expected = []
    for dtype in [torch.float32, torch.float64]:
        core = torch.nn.Linear(WIDTH, WIDTH, dtype=dtype)
        head = torch.nn.Linear(WIDTH, VOCABULARY, dtype=dtype)
        # The decider of ANIRA-O.
        norm = torch.nn.LayerNorm(WIDTH, dtype=dtype)
        up = torch.nn.Linear(WIDTH, 2 * WIDTH, bias=False, dtype=dtype)
        down = torch.nn.Linear(2 * WIDTH, 1, dtype=dtype)
        state, states = torch.randn(sum(LENGTHS), WIDTH, dtype=dtype) * 3, []
        with torch.no_grad():
            for step in range(STEPS + 1):
                states.append(state)
                state = torch.tanh(core(state)) * 0.7 + 0.3 * state
            states = torch.stack(states)
            logits = 4 * head(states[1:])
            weights = {"norm": norm, "up": up, "down": down}
            policy = {f"{layer}.{name}": w for layer, of in weights.items() for name, w in of.state_dict().items()}
            file = f"trace-{str(dtype).removeprefix('torch.')}.safetensors"
            targets = torch.full((sum(LENGTHS),), -1)
            export_trace(folder / file, LENGTHS, states, logits, policy, {"c": torch.arange(sum(LENGTHS))}, targets=targets)

            relative = (states[1:] - states[:-1]).norm(dim=-1) / states[1:].norm(dim=-1)
            two = torch.softmax(logits, -1).topk(2, -1).values
            difference = two[..., 0] - two[..., 1]
            hazard = torch.sigmoid(down(torch.nn.functional.silu(up(norm(states[1:])))))[..., 0]
            reached = 1 - torch.cumprod(1 - hazard, 0)
            for name, given, values, halts in [
                ("huginn-latent-diff", {"threshold": 0.3}, relative, relative < 0.3),
                ("calm", {"threshold": 0.6}, difference, difference >= 0.6),
                ("anira-o", {"decider_width": 2}, reached, reached >= 0.5),
                ("anira-o", {"decider_width": 2, "rule": "threshold", "threshold": 0.95}, reached, reached >= 0.95),
            ]:
                found = exits(values, halts)
                assert len(set(found["depths"])) > 1, f"{name}: all depths are equal"
                expected.append({"file": file, "policy": name, "set": given, **found})
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
