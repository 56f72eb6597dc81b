#!/usr/bin/env python3
"""Makes what TestGradientsAgainstTorch compares with.

It exports models of PyTorch to ONNX, each with its weights, and records, for an
input and weights of the outputs, the outputs and the gradient with respect to
every weight by which the file holds it: its norm and a few of its elements.
Gradients are computed in double precision. A weight of the file is the parameter
of PyTorch that it was made of, perhaps transposed or, in an LSTM, with the gates
in another order; that is found by comparing the values.

    gradients.py onnxload/testdata

writes NAME.onnx.gz and gradients.json there. Made with PyTorch 1.13.0 (Debian 12).
"""
import gzip
import io
import json
import math
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

SAMPLES = 6


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.grow, self.shrink = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x, mask):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.shrink(nn.functional.gelu(self.grow(self.norm2(x))))


class Transformer(nn.Module):
    """Twelve blocks over token and position embeddings, with a causal mask."""

    def __init__(self, width=16, heads=4, layers=12, words=20, length=6):
        super().__init__()
        self.token = nn.Embedding(words, width)
        self.position_embedding = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)
        mask = torch.full((length, length), float("-inf")).triu(1)
        self.register_buffer("mask", mask)

    def forward(self, tokens):
        x = self.token(tokens) + self.position_embedding
        for b in self.blocks:
            x = b(x, self.mask)
        return self.head(self.norm(x))


class Lstm(nn.Module):
    """Two bidirectional layers over embedded tokens."""

    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 12, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, tokens):
        return self.head(self.lstm(self.token(tokens))[0])


def gates(t, order, hidden):
    return np.concatenate([t[g * hidden:(g + 1) * hidden] for g in order])


def candidates(model, of):
    """What a file may hold of the parameters, as of(parameter) gives their values."""
    for name, p in model.named_parameters():
        v = of(p)
        yield name, v
        if v.ndim == 2:
            yield name, v.T
    for m in model.modules():
        if not isinstance(m, nn.LSTM):
            continue
        order = [0, 3, 1, 2]  # ONNX has input, output, forget, cell
        for layer in range(m.num_layers):
            ends = ["", "_reverse"] if m.bidirectional else [""]
            part = lambda kind, end: gates(of(getattr(m, "%s_l%d%s" % (kind, layer, end))), order, m.hidden_size)
            for kind in ["weight_ih", "weight_hh"]:
                yield "%s_l%d" % (kind, layer), np.stack([part(kind, e) for e in ends])
            yield "bias_l%d" % layer, np.stack([np.concatenate([part("bias_ih", e), part("bias_hh", e)]) for e in ends])


def record(name, model, tokens, folder):
    rng = np.random.RandomState(7)
    for p in model.parameters():  # multiples of 1/256, which compress
        scale = 0.5 / math.sqrt(p.shape[-1]) if p.dim() > 1 else 0.25
        offset = 1 if p.dim() == 1 and torch.all(p == 1) else 0
        p.data = torch.tensor(np.round(256 * (offset + scale * rng.randn(*p.shape))) / 256, dtype=torch.float32)
    model.train()
    out = io.BytesIO()
    torch.onnx.export(model, (tokens,), out, opset_version=14, training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=True, input_names=["tokens"], output_names=["y"])
    file = onnx.load_from_string(out.getvalue())
    for node in file.graph.node:
        node.doc_string = ""
    with gzip.GzipFile("%s/%s.onnx.gz" % (folder, name), "wb", mtime=0) as f:
        f.write(file.SerializeToString())

    model = model.double()
    y = model(tokens)
    seed = torch.tensor(np.round(16 * rng.randn(*y.shape)) / 16)
    (y * seed).sum().backward()
    values = [(n, v.astype(np.float32)) for n, v in candidates(model, lambda p: p.detach().numpy())]
    grads = [g for _, g in candidates(model, lambda p: p.grad.numpy())]
    params, found = {}, set()
    for init in file.graph.initializer:
        held = numpy_helper.to_array(init)
        if held.dtype != np.float32:
            continue
        for (n, v), g in zip(values, grads):
            if v.shape == held.shape and np.array_equal(v, held):
                found.add(n)
                flat = g.reshape(-1)
                at = sorted(rng.choice(flat.size, min(SAMPLES, flat.size), replace=False).tolist())
                params[init.name] = {"norm": float("%.9g" % np.linalg.norm(flat)), "at": at,
                                     "grad": [float("%.9g" % flat[i]) for i in at]}
                break
    if name == "transformer":
        assert len(params) == len(list(model.parameters())), set(n for n, _ in model.named_parameters()) - found
    return {"tokens": tokens.reshape(-1).tolist(), "seed": seed.reshape(-1).tolist(),
            "y": [float("%.8g" % v) for v in y.detach().reshape(-1).tolist()], "params": params}


def main(folder):
    torch.manual_seed(1)
    tokens = torch.randint(0, 20, (2, 6))
    result = {"transformer": record("transformer", Transformer(), tokens, folder),
              "lstm": record("lstm", Lstm(), tokens, folder)}
    with open(folder + "/gradients.json", "w") as f:
        json.dump(result, f, separators=(",", ":"))
        f.write("\n")


main(sys.argv[1])
