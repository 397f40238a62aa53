"""A recurrent Transformer whose tokens choose their own depth, written out plainly.

This is a reference, not a trainer: every step of the core runs on every row, attention is a full masked product,
nothing is cached and nothing is skipped. It follows "Understanding Dynamic Compute Allocation in Recurrent
Transformers" (arXiv 2602.08864) and reads the suite's checkpoints: `weights.safetensors` with
Llama's tensor names, and `config.json` beside it.

Depths are counted from 1, as in the paper: a token of depth d* takes the core's steps 1, ..., d*.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

EARLY = "anira-e"
ONLINE = "anira-o"
FREEZE_STATE = "freeze-state"


@dataclass(frozen=True)
class Config:
    """The sizes of a model."""

    vocabulary: int
    d_model: int
    d_ff: int
    heads: int
    prelude_layers: int
    core_layers: int
    coda_layers: int
    max_depth: int
    decider_width: int
    policy: str
    rms_norm_epsilon: float = 1e-5
    rope_theta: float = 10000.0
    halted_keys_values: str = FREEZE_STATE

    def __post_init__(self):
        if self.policy not in (EARLY, ONLINE):
            raise ValueError(f"policy must be {EARLY!r} or {ONLINE!r}, not {self.policy!r}")
        if self.halted_keys_values != FREEZE_STATE:
            raise ValueError(f"only halted_keys_values = {FREEZE_STATE!r} is implemented here")
        if self.d_model % (2 * self.heads):
            raise ValueError("d_model must be a multiple of 2 * heads")
        if self.max_depth < 1:
            raise ValueError("max_depth must be at least 1")


class RmsNorm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return wide.to(x.dtype) * self.weight


class SelfAttention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.theta = config.rope_theta
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(config.d_model, config.d_model, bias=False))

    def forward(self, query_input: Tensor, key_value_input: Tensor, visible: Tensor) -> Tensor:
        """`visible[b, i, j]` says whether row i of sequence b may look at row j."""
        queries = self.rotate(self.split(self.q_proj(query_input)))
        keys = self.rotate(self.split(self.k_proj(key_value_input)))
        values = self.split(self.v_proj(key_value_input))
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        scores = scores.masked_fill(~visible[:, None], -math.inf)
        mixed = torch.softmax(scores, dim=-1) @ values
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """[batch, rows, d_model] -> [batch, heads, rows, d_model / heads]"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def rotate(self, x: Tensor) -> Tensor:
        """Rotary position embedding; component i turns together with component i + half."""
        rows, size = x.shape[-2:]
        half = size // 2
        exponents = torch.arange(half, dtype=x.dtype, device=x.device) * 2 / size
        positions = torch.arange(rows, dtype=x.dtype, device=x.device)
        angles = positions[:, None] * self.theta**-exponents
        cosine, sine = angles.cos(), angles.sin()
        first, second = x[..., :half], x[..., half:]
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class SwiGlu(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up_proj = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down_proj = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.input_layernorm = RmsNorm(config.d_model, config.rms_norm_epsilon)
        self.self_attn = SelfAttention(config)
        self.post_attention_layernorm = RmsNorm(config.d_model, config.rms_norm_epsilon)
        self.mlp = SwiGlu(config)

    def forward(self, x: Tensor, seen: Tensor, visible: Tensor) -> Tensor:
        """`seen` holds the states the keys and values are made from; without halting it is `x` itself."""
        x = x + self.self_attn(self.input_layernorm(x), self.input_layernorm(seen), visible)
        return x + self.mlp(self.post_attention_layernorm(x))


class Stack(nn.Module):
    def __init__(self, config: Config, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(layers))

    def forward(self, x: Tensor, visible: Tensor, halted: Tensor | None = None) -> Tensor:
        """One pass. Rows marked in `halted` show every layer the state they came in with."""
        entry = x
        for layer in self.layers:
            seen = x if halted is None else torch.where(halted[..., None], entry, x)
            x = layer(x, seen, visible)
        return x


class Decider(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        outputs = config.max_depth if config.policy == EARLY else 1
        self.norm = nn.LayerNorm(config.d_model, eps=1e-5)
        self.up = nn.Linear(config.d_model, config.decider_width, bias=False)
        self.down = nn.Linear(config.decider_width, outputs)

    def forward(self, h: Tensor) -> Tensor:
        return self.down(F.silu(self.up(self.norm(h))))


@dataclass(frozen=True)
class Unrolled:
    """What a forward pass gives. Padding rows hold numbers without meaning."""

    logits: Tensor
    """[batch, rows, vocabulary]"""
    depths: Tensor
    """[batch, rows], 1..D: the depth each token took"""
    log_distribution: Tensor
    """[batch, rows, D]: log q, the decider's own distribution, free of noise"""
    soft_gates: list[Tensor]
    """soft a(2), ..., a(D), each [batch, rows]: what the gates' gradients run through"""

    @property
    def distribution(self) -> Tensor:
        return self.log_distribution.exp()


class Anira(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.d_model)
        self.prelude = Stack(config, config.prelude_layers)
        self.core = Stack(config, config.core_layers)
        self.coda = Stack(config, config.coda_layers)
        self.norm = RmsNorm(config.d_model, config.rms_norm_epsilon)
        self.lm_head = nn.Linear(config.d_model, config.vocabulary, bias=False)
        self.decider = Decider(config)

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        noise: Tensor | None = None,
        temperature: float = 1.0,
        anchor: Unrolled | None = None,
    ) -> Unrolled:
        """Runs `tokens` [batch, rows], sequence b being its first `lengths[b]` rows.

        With `noise` this is the training forward: depths are drawn and gates are straight-through. The noise is
        Gumbel noise [batch, rows, D] for the early decision, uniform [batch, rows] for online halting. Without it
        depths follow the inference rule: the mode for the early decision, the median for online halting.

        `anchor` is for checking gradients. The gates become a(d) = hard + soft - anchor's soft, with the hard part
        and every choice of depth taken from the anchor. That is a smooth function of the weights; at the anchor's
        own weights its value is the training forward's, and its derivative is what straight-through defines.
        """
        visible = visibility(lengths, tokens.shape[1])
        h = self.prelude(self.embed_tokens(tokens), visible)
        unroll = self.unroll_early if self.config.policy == EARLY else self.unroll_online
        h, depths, log_q, soft_gates = unroll(h, visible, noise, temperature, anchor)
        logits = self.lm_head(self.norm(self.coda(h, visible)))
        return Unrolled(logits, depths, log_q, soft_gates)

    def unroll_early(self, h, visible, noise, temperature, anchor):
        scores = self.decider(h)
        scores = scores - scores.mean(-1, keepdim=True)
        log_q = torch.log_softmax(scores, dim=-1)
        drawn = scores if noise is None else (scores + noise) / temperature
        y = torch.softmax(drawn, dim=-1)
        depths = 1 + first_maximum(drawn) if anchor is None else anchor.depths
        soft_gates = []
        for d in range(1, self.config.max_depth + 1):
            soft = y[..., d - 1 :].sum(-1)
            h = self.step(h, visible, d, depths >= d, soft, soft_gates, anchor)
        return h, depths, log_q, soft_gates

    def unroll_online(self, h, visible, noise, temperature, anchor):
        threshold = 0.5 if noise is None else noise
        active = torch.ones(h.shape[:2], dtype=torch.bool, device=h.device)
        depths = torch.zeros(h.shape[:2], dtype=torch.int64, device=h.device)
        log_remaining = torch.zeros(h.shape[:2], dtype=h.dtype, device=h.device)
        cumulative = torch.zeros_like(log_remaining)
        log_q, soft_gates = [], []
        for d in range(1, self.config.max_depth + 1):
            if anchor is not None:
                active = anchor.depths >= d
            depths = depths + active
            h = self.step(h, visible, d, active, log_remaining.exp(), soft_gates, anchor)
            if d == self.config.max_depth:
                log_q.append(log_remaining)
                break
            score = self.decider(h).squeeze(-1)
            log_q.append(log_remaining + F.logsigmoid(score))
            log_remaining = log_remaining + F.logsigmoid(-score)
            cumulative = cumulative + log_q[-1].exp()
            active = active & (cumulative < threshold)
        return h, depths, torch.stack(log_q, dim=-1), soft_gates

    def step(self, h, visible, d, active, soft, soft_gates, anchor):
        """Step d: h(d) from h(d-1)."""
        candidate = self.core(h, visible, halted=~active)
        if d == 1:
            return candidate
        soft_gates.append(soft)
        reference = soft.detach() if anchor is None else anchor.soft_gates[d - 2].detach()
        gate = (active.to(h.dtype) + (soft - reference))[..., None]
        return gate * candidate + (1 - gate) * h


def visibility(lengths: Tensor, rows: int) -> Tensor:
    """[batch, rows, rows]: a row sees itself and the rows before it, but no padding."""
    causal = torch.ones(rows, rows, dtype=torch.bool, device=lengths.device).tril()
    return causal[None] & present(lengths, rows)[:, None, :]


def present(lengths: Tensor, rows: int) -> Tensor:
    """[batch, rows]: which rows are tokens rather than padding."""
    if int(lengths.min()) < 1:
        raise ValueError("every sequence needs at least one token")
    return torch.arange(rows, device=lengths.device)[None] < lengths[:, None]


def first_maximum(x: Tensor) -> Tensor:
    """The lowest index, from 0, at which the last dimension has its largest entry."""
    positions = torch.arange(x.shape[-1], device=x.device)
    at_maximum = x == x.amax(-1, keepdim=True)
    return torch.where(at_maximum, positions, x.shape[-1]).amin(-1)


@dataclass(frozen=True)
class Objective:
    cross_entropy: Tensor
    regulariser: Tensor
    """The mean KL(q || p), before gamma"""
    loss: Tensor


def objective(
    out: Unrolled, lengths: Tensor, targets: Tensor, answers: Tensor, gamma: float, base: float
) -> Objective:
    """The training loss; the logits at a row predict that row's target.

    The cross-entropy is averaged over all rows marked in `answers`, the regulariser over all tokens of the batch,
    the prompts' included. The prior is p(d) proportional to base^-d.
    """
    tokens = present(lengths, targets.shape[1])
    answers = answers & tokens
    cross_entropy = F.cross_entropy(out.logits[answers], targets[answers])
    log_q = out.log_distribution[tokens]
    depths = torch.arange(1, log_q.shape[-1] + 1, dtype=log_q.dtype, device=log_q.device)
    log_p = torch.log_softmax(-depths * math.log(base), dim=0)
    regulariser = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    return Objective(cross_entropy, regulariser, cross_entropy + gamma * regulariser)


def load(directory: str | Path) -> Anira:
    """Reads the `config.json` and `weights.safetensors` of a model that the suite has trained."""
    directory = Path(directory)
    stored = json.loads((directory / "config.json").read_text())
    backbone, policy = stored["backbone"], stored["policy"]
    if backbone["name"] != "anira":
        raise ValueError(f"only the backbone 'anira' is implemented here, not {backbone['name']!r}")
    sizes = backbone["parameters"]
    config = Config(
        vocabulary=stored["vocabulary"],
        max_depth=stored["max_depth"],
        decider_width=max(1, math.floor(policy["parameters"]["decider_width"] * sizes["d_model"] + 0.5)),
        policy=policy["name"],
        halted_keys_values=stored["halted_keys_values"] or FREEZE_STATE,
        **sizes,
    )
    model = Anira(config)
    model.load_state_dict(load_file(directory / "weights.safetensors"))
    return model
