#!/usr/bin/env python3
"""Records what TestRecurrentAgainstTorch compares with.

It runs small bidirectional LSTM and GRU layers of PyTorch, in double precision,
from random weights and initial states, and records the outputs and the gradients
of a weighted sum of them. Weights are written, and their gradients too, with
ONNX's order of the gates: input, output, forget, cell where PyTorch has input,
forget, cell, output; update, reset, candidate where it has reset, update,
candidate.

    recurrent.py > recurrent.json

Made with PyTorch 1.13.0 (Debian 12).
"""
import json

import torch

STEPS, BATCH, SIZE, HIDDEN = 5, 2, 3, 4
ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}


def reorder(kind, t):
    gates = t.reshape(len(ORDER[kind]), HIDDEN, -1)[ORDER[kind]]
    return gates.reshape(t.shape)


def flat(t):
    return [float("%.7g" % v) for v in t.detach().reshape(-1).tolist()]


def record(kind):
    torch.manual_seed(7)
    layer = getattr(torch.nn, kind)(SIZE, HIDDEN, bidirectional=True).double()
    for p in layer.parameters():
        p.data = torch.randn_like(p) * 0.7
    x = torch.randn(STEPS, BATCH, SIZE, dtype=torch.double, requires_grad=True)
    h = torch.randn(2, BATCH, HIDDEN, dtype=torch.double, requires_grad=True)
    c = torch.randn(2, BATCH, HIDDEN, dtype=torch.double, requires_grad=True)
    if kind == "LSTM":
        y, (hn, cn) = layer(x, (h, c))
        results = [y, hn, cn]
    else:
        y, hn = layer(x, h)
        results = [y, hn]
    seeds = [torch.randn_like(r) for r in results]
    sum((r * s).sum() for r, s in zip(results, seeds)).backward()
    out = {"x": flat(x), "h": flat(h), "x_grad": flat(x.grad), "h_grad": flat(h.grad),
           "results": [flat(r) for r in results], "seeds": [flat(s) for s in seeds], "directions": []}
    if kind == "LSTM":
        out["c"], out["c_grad"] = flat(c), flat(c.grad)
    for suffix in ["", "_reverse"]:
        d = {}
        for name, of in [("w", lambda s: "weight_ih_l0" + s), ("r", lambda s: "weight_hh_l0" + s)]:
            p = getattr(layer, of(suffix))
            d[name], d[name + "_grad"] = flat(reorder(kind, p)), flat(reorder(kind, p.grad))
        biases = [getattr(layer, n + suffix) for n in ("bias_ih_l0", "bias_hh_l0")]
        d["b"] = sum([flat(reorder(kind, b)) for b in biases], [])
        d["b_grad"] = sum([flat(reorder(kind, b.grad)) for b in biases], [])
        out["directions"].append(d)
    return out


print(json.dumps({kind: record(kind) for kind in ["LSTM", "GRU"]}))
