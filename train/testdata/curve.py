#!/usr/bin/env python3
"""Records the reference loss curves that TestCurve compares with.

It runs the nodes of an ONNX model with PyTorch's own functions and trains the
weights on consecutive batches of MNIST, under SGD with momentum and under
AdamW, with L1 as sign(w) on the gradient and L2 in the step, on weights of
more than one axis only.

    curve.py MODEL.onnx MNIST_DIR > mnist_cnn_torch11.json

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

STEPS, BATCH = 20, 64
CASES = {
    "sgd": dict(lr=1e-3, momentum=0.9, l1=1e-4, l2=1e-3),
    "adamw": dict(lr=1e-3, weight_decay=1e-2, l1=0, l2=0),
}


def idx(path):
    with gzip.open(path) as f:
        raw = f.read()
    axes = raw[3]
    dims = np.frombuffer(raw, ">i4", axes, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(dims)


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def logits(graph, values, x):
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
        elif node.op_type == "MaxPool":
            y = F.max_pool2d(v[0], a["kernel_shape"], a["strides"])
        elif node.op_type == "Constant":
            y = torch.from_numpy(numpy_helper.to_array(a["value"]).copy())
        elif node.op_type == "Reshape":
            y = v[0].reshape(len(x), -1)
        elif node.op_type == "Gemm":
            y = F.linear(v[0], v[1], v[2])
        elif node.op_type == "LogSoftmax":
            return v[0]
        else:
            raise SystemExit(f"no rule for {node.op_type}")
        values[node.output[0]] = y
    raise SystemExit("the graph does not end in LogSoftmax")


def curve(graph, images, labels, case):
    params = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy()).requires_grad_()
        for t in graph.initializer
        if t.data_type == onnx.TensorProto.FLOAT
    }
    others = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
        for t in graph.initializer
        if t.name not in params
    }
    weights = [p for p in params.values() if p.dim() > 1]
    rest = [p for p in params.values() if p.dim() <= 1]
    c = CASES[case]
    if case == "sgd":
        groups = [{"params": weights, "weight_decay": c["l2"]}, {"params": rest}]
        optimizer = torch.optim.SGD(groups, lr=c["lr"], momentum=c["momentum"])
    else:
        groups = [{"params": weights}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=c["lr"], weight_decay=c["weight_decay"])
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        x = torch.from_numpy(images[rows].astype(np.float32) / 255).unsqueeze(1)
        y = torch.from_numpy(labels[rows].astype(np.int64))
        optimizer.zero_grad()
        loss = F.cross_entropy(logits(graph, {**params, **others}, x), y)
        loss.backward()
        for w in weights:
            w.grad += c["l1"] * torch.sign(w.detach())
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    model, mnist = sys.argv[1:]
    graph = onnx.load(model).graph
    images = idx(os.path.join(mnist, "train-images-idx3-ubyte.gz"))
    labels = idx(os.path.join(mnist, "train-labels-idx1-ubyte.gz"))
    torch.set_num_threads(1)
    print(json.dumps({case: curve(graph, images, labels, case) for case in CASES}, indent=1))


main()
