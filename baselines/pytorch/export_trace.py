"""Writes what a model computed at every step to a trace, which `haltbench replay` reads. docs/traces.md has the format."""

import torch
from safetensors.torch import save_file


def export_trace(path, lengths, states=None, logits=None, policy=None, complexity=None, **more):
    """The tokens of all sequences stand one after another, without padding; `lengths` says how many each has.

    states: [D + 1, tokens, width], h(0) first. logits: [D, tokens, vocabulary]. policy, complexity: tensors by name.
    more: targets (-1: none) and positions, one whole number for each token.
    """
    floats = {"states": states, "logits": logits}
    floats |= {f"policy.{name}": tensor for name, tensor in (policy or {}).items()}
    floats |= {f"complexity.{name}": tensor for name, tensor in (complexity or {}).items()}
    tensors = {name: torch.as_tensor(tensor) for name, tensor in floats.items() if tensor is not None}
    tensors = {name: tensor if tensor.dtype == torch.float64 else tensor.float() for name, tensor in tensors.items()}
    tensors |= {name: torch.as_tensor(whole, dtype=torch.int64) for name, whole in {"lengths": lengths, **more}.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"format": "haltbench-trace", "version": "1"})
