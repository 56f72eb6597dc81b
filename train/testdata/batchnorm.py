#!/usr/bin/env python3
"""Records the gradients that TestBatchNormGradients compares with.

It runs the nodes of an ONNX model with PyTorch's own functions, in double
precision, on the first 32 images of MNIST as 0 to 1 (the model wants them
normalised, but a loss near zero would be a poor test), with batch normalisation
by the running statistics (frozen) and by those of the batch (train). It records
the loss, and of each parameter's gradient the Euclidean norm and the first
values; of the running statistics their first values after the batch, the
variance being the biased one, as ONNX has it.

    batchnorm.py MODEL.onnx MNIST_DIR > mnist_cnn_bn_torch20.json

Made with PyTorch 1.13.1 and onnx 1.12.0 (Debian 12).
"""
import gzip
import json
import os
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

BATCH, FIRST = 32, 4


def idx(path):
    with gzip.open(path) as f:
        raw = f.read()
    axes = raw[3]
    dims = np.frombuffer(raw, ">i4", axes, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(dims)


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def normalise(v, a, mode, moved, names):
    x, scale, shift, mean, var = v
    if mode == "train":
        axes = [i for i in range(x.dim()) if i != 1]
        batch = x.detach()
        keep = a["momentum"]
        moved[names[3]] = keep * mean + (1 - keep) * batch.mean(axes)
        moved[names[4]] = keep * var + (1 - keep) * batch.var(axes, unbiased=False)
    return F.batch_norm(x, mean.clone(), var.clone(), scale, shift, mode == "train", 0.0, a["epsilon"])


def logits(graph, values, x, mode, moved):
    """Runs the graph on x; the last LogSoftmax is left to the loss."""
    values = dict(values)
    values[graph.input[0].name] = x
    for node in graph.node:
        a = attributes(node)
        v = [values[name] for name in node.input]
        if node.op_type == "Conv":
            y = F.conv2d(v[0], v[1], v[2], a["strides"], a["pads"][:2])
        elif node.op_type == "Relu":
            y = F.relu(v[0])
        elif node.op_type == "Flatten":
            y = v[0].flatten(1)
        elif node.op_type == "Gemm":
            y = F.linear(v[0], v[1], v[2])
        elif node.op_type == "BatchNormalization":
            y = normalise(v, a, mode, moved, node.input)
        elif node.op_type == "LogSoftmax":
            return v[0]
        else:
            raise SystemExit(f"no rule for {node.op_type}")
        values[node.output[0]] = y
    raise SystemExit("the graph does not end in LogSoftmax")


def first(t):
    return t.flatten()[:FIRST].tolist()


def record(graph, x, y, mode):
    params = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()).double() for t in graph.initializer}
    trained = {name: p.requires_grad_() for name, p in params.items() if "running" not in name}
    moved = {}
    loss = F.cross_entropy(logits(graph, params, x, mode, moved), y)
    loss.backward()
    return {
        "loss": loss.item(),
        "gradients": {name: {"norm": p.grad.norm().item(), "first": first(p.grad)} for name, p in trained.items()},
        "running": {name: first(p) for name, p in (moved or {n: p for n, p in params.items() if "running" in n}).items()},
    }


def main():
    model, mnist = sys.argv[1:]
    graph = onnx.load(model).graph
    images = idx(os.path.join(mnist, "train-images-idx3-ubyte.gz"))[:BATCH]
    labels = idx(os.path.join(mnist, "train-labels-idx1-ubyte.gz"))[:BATCH]
    x = torch.from_numpy(images.astype(np.float64) / 255).unsqueeze(1)
    y = torch.from_numpy(labels.astype(np.int64))
    torch.set_num_threads(1)
    print(json.dumps({mode: record(graph, x, y, mode) for mode in ("frozen", "train")}, indent=1))


main()
