#!/usr/bin/env python3
"""Makes what TestGradientsAgainstTorch compares with.

It exports models of PyTorch to ONNX, each with its weights, and records, for an
input and weights of the outputs, the outputs and the gradient with respect to
every weight by which the file holds it: its norm and a few of its elements. Of
small layers it records the gradient of the input too. Gradients are computed in
double precision. A weight of the file is the parameter of PyTorch that it was made
of, perhaps transposed or, in a recurrent layer, with the gates in another order;
that is found by comparing the values.

    gradients.py onnxload/testdata

writes two models and gradients.json.gz, which holds the small layers too, there.
Made with PyTorch 1.13.0 (Debian 12).
"""
import base64
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
        if not isinstance(m, nn.RNNBase):
            continue
        # ONNX has input, output, forget, cell; update, reset, candidate
        order = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}.get(m.mode, [0])
        for layer in range(m.num_layers):
            ends = ["", "_reverse"] if m.bidirectional else [""]
            part = lambda kind, end: gates(of(getattr(m, "%s_l%d%s" % (kind, layer, end))), order, m.hidden_size)
            for kind in ["weight_ih", "weight_hh"]:
                yield "%s_l%d" % (kind, layer), np.stack([part(kind, e) for e in ends])
            yield "bias_l%d" % layer, np.stack([np.concatenate([part("bias_ih", e), part("bias_hh", e)]) for e in ends])


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class First(nn.Module):
    """A recurrent layer without its last state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def layers():
    """Small layers of the families in which differences in float32 say little."""
    image, line, volume, steps = (2, 4, 7, 6), (2, 3, 9), (1, 2, 5, 4, 6), (5, 2, 3)
    f = nn.functional
    return {
        "max pool": (nn.MaxPool2d(3, 2, 1), image),
        "max pool, dilated": (nn.MaxPool2d((2, 3), (1, 2), dilation=2), image),
        "max pool, ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), image),
        "max pool 1-D": (nn.MaxPool1d(3, 2, 1), line),
        "max pool 3-D": (nn.MaxPool3d(2), volume),
        "average pool": (nn.AvgPool2d(3, 2, 1), image),
        "average pool, without padding": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), image),
        "average pool, ceil": (nn.AvgPool2d(2, 2, ceil_mode=True), image),
        "average pool 1-D": (nn.AvgPool1d(4, 3), line),
        "average pool 3-D": (nn.AvgPool3d(2, 1), volume),
        "global average": (nn.AdaptiveAvgPool2d(1), image),
        "global maximum": (nn.AdaptiveMaxPool2d(1), image),
        "maximum along an axis": (Of(lambda x: x.amax(1)), image),
        "minimum of all": (Of(lambda x: x.min()), image),
        "larger of two": (Of(lambda x: torch.maximum(x[:, :2], x[:, 2:])), image),
        "clamp": (Of(lambda x: x.clamp(-0.5, 0.7)), image),
        "batch normalisation, training": (nn.BatchNorm2d(4), image),
        "batch normalisation 1-D, training": (nn.BatchNorm1d(3), line),
        "instance normalisation": (nn.InstanceNorm2d(4, affine=True), image),
        "group normalisation": (nn.GroupNorm(2, 4), image),
        "layer normalisation": (nn.LayerNorm(6), image),
        "layer normalisation of two axes": (nn.LayerNorm((7, 6)), image),
        "local response": (nn.LocalResponseNorm(3, alpha=0.5, beta=0.75, k=1.5), image),
        "norm": (Of(lambda x: f.normalize(x, dim=1)), image),
        "softmax": (nn.Softmax(1), image),
        "log softmax": (nn.LogSoftmax(-1), image),
        "norm 2": (Of(lambda x: x.norm(dim=-1)), image),
        "logsumexp": (Of(lambda x: x.logsumexp(2)), image),
        "product": (Of(lambda x: x.prod(-1)), line),
        "RNN": (First(nn.RNN(3, 4)), steps),
        "RNN, relu, both ways": (First(nn.RNN(3, 4, nonlinearity="relu", bidirectional=True)), steps),
        "GRU": (First(nn.GRU(3, 4)), steps),
        "GRU, both ways, batch first": (First(nn.GRU(3, 4, bidirectional=True, batch_first=True)), steps),
        "LSTM": (First(nn.LSTM(3, 4)), steps),
        "LSTM, two layers, batch first": (First(nn.LSTM(3, 4, 2, batch_first=True)), steps),
    }


def sampled(rng, g):
    flat = g.reshape(-1)
    at = sorted(rng.choice(flat.size, min(SAMPLES, flat.size), replace=False).tolist())
    return {"norm": float("%.9g" % np.linalg.norm(flat)), "at": at, "grad": [float("%.9g" % flat[i]) for i in at]}


def record(name, model, tokens):
    rng = np.random.RandomState(7)
    for p in model.parameters():  # multiples of 1/256, which compress
        scale = 0.5 / math.sqrt(p.shape[-1]) if p.dim() > 1 else 0.25
        offset = 1 if p.dim() == 1 and torch.all(p == 1) else 0
        p.data = torch.tensor(np.round(256 * (offset + scale * rng.randn(*p.shape))) / 256, dtype=torch.float32)
    model.train()
    out = io.BytesIO()
    whole = tokens.dtype == torch.int64
    torch.onnx.export(model, (tokens,), out, opset_version=14, training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=True, input_names=["x"], output_names=["y"])
    file = onnx.load_from_string(out.getvalue())
    for node in file.graph.node:
        node.doc_string = ""

    model = model.double()
    x = tokens if whole else tokens.double().requires_grad_()
    y = model(x)
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
            if (v.shape == held.shape or v.ndim == 1) and np.array_equal(v.reshape(-1), held.reshape(-1)):
                found.add(n)
                params[init.name] = sampled(rng, g)
                break
    if name == "transformer":
        assert len(params) == len(list(model.parameters())), set(n for n, _ in model.named_parameters()) - found
    result = {"seed": seed.reshape(-1).tolist(), "y": [float("%.7g" % v) for v in y.detach().reshape(-1).tolist()], "params": params}
    if whole:
        result["tokens"] = tokens.reshape(-1).tolist()
    else:
        result["x"] = tokens.reshape(-1).tolist()
        result["x_grad"] = sampled(rng, x.grad.numpy())
    return file.SerializeToString(), result


def main(folder):
    torch.manual_seed(1)
    tokens = torch.randint(0, 20, (2, 6))
    result = {}
    for name, model in [("transformer", Transformer()), ("lstm", Lstm())]:
        file, result[name] = record(name, model, tokens)
        with gzip.GzipFile("%s/%s.onnx.gz" % (folder, name), "wb", mtime=0) as f:
            f.write(file)
    for name, (model, shape) in layers().items():
        x = torch.round(torch.randn(shape) * 1024) / 1024
        file, result[name] = record(name, model, x)
        result[name]["model"] = base64.b64encode(file).decode()
    with gzip.GzipFile(folder + "/gradients.json.gz", "wb", mtime=0) as f:
        f.write(json.dumps(result, separators=(",", ":")).encode())


main(sys.argv[1])
