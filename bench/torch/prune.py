"""Magnitude pruning with torch.nn.utils.prune, one shot, and then training.

    python3 prune.py SHARED MODEL LEVEL LR EPOCHS global|layer SEED TEMPERATURE

prunes one of the networks below, which takes its weights from the ONNX file, to a
share of zeros, over all layers together or in each, and trains it: AdamW, batches
of 64 in an order drawn by the seed, a rate that falls along a cosine, batch
normalisation that trains, scores divided by the temperature. It prints the share of
zeros and the accuracy on the test set.
"""

import gzip
import struct
import sys

import numpy as np
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune


class Deep(nn.Module):  # mnist_cnn_bn_torch20
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 24, 3)
        self.norm1, self.norm2 = nn.BatchNorm2d(24), nn.BatchNorm1d(10)
        self.fc1, self.fc2 = nn.Linear(11616, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.norm1(F.relu(self.conv3(x))).flatten(1)
        return self.norm2(self.fc2(F.relu(self.fc1(x))))


class Small(nn.Module):  # mnist_cnn_torch11
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
        return F.relu(self.fc2(F.relu(self.fc1(x))))


class Colour(nn.Module):  # cifar_cnn_winml
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 12, 5, padding=1), nn.Conv2d(12, 12, 5, padding=1)
        self.conv4, self.conv5 = nn.Conv2d(12, 24, 5, padding=1), nn.Conv2d(24, 24, 5, padding=1)
        self.fc1 = nn.Linear(2400, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc1(F.relu(self.conv5(F.relu(self.conv4(x)))).flatten(1))


# The network, the names of its tensors where they differ, and how pixels are scaled.
MODELS = {
    "mnist_cnn_bn_torch20": (Deep, {}, lambda x: (x / 255 - 0.1307) / 0.3081),
    "mnist_cnn_torch11": (Small, {}, lambda x: x),
    "cifar_cnn_winml": (Colour, {
        "conv1.weight": "48", "conv1.bias": "49", "conv2.weight": "51", "conv2.bias": "52",
        "conv4.weight": "54", "conv4.bias": "55", "conv5.weight": "57", "conv5.bias": "58",
    }, lambda x: (x / 255 - 0.5) / 0.5),
}


def idx(path):
    with gzip.open(path) as f:
        raw = f.read()
    rank = raw[3]
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def examples(shared, model, test):
    if model.startswith("mnist"):
        folder = f"{shared}/datasets/mnist/" + ("t10k" if test else "train")
        x, y = idx(folder + "-images-idx3-ubyte.gz")[:, None], idx(folder + "-labels-idx1-ubyte.gz")
    else:
        name = "test_batch_first1000" if test else "train_first5000"
        raw = np.fromfile(f"{shared}/datasets/cifar10/{name}.bin", np.uint8).reshape(-1, 3073)
        x, y = raw[:, 1:].reshape(-1, 3, 32, 32), raw[:, 0]
    return MODELS[model][2](torch.tensor(x, dtype=torch.float32)), torch.tensor(y, dtype=torch.int64)


def load(shared, model):
    net, names, _ = MODELS[model]
    net = net()
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(f"{shared}/models/{model}.onnx").graph.initializer}
    state = net.state_dict()
    for key in state:
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(tensors[names.get(key, key)].copy())
    net.load_state_dict(state)
    return net


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500)))
    return right / len(y)


def main(shared, model, level, lr, epochs, scope, seed, temperature):
    torch.manual_seed(seed)
    net = load(shared, model)
    weights = [(m, "weight") for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    if scope == "global" and level > 0:
        prune.global_unstructured(weights, prune.L1Unstructured, amount=level)
    elif level > 0:
        for module, name in weights:
            prune.l1_unstructured(module, name, amount=level)
    x, y = examples(shared, model, False)
    rule = torch.optim.AdamW(net.parameters(), lr=lr)
    steps = epochs * -(-len(x) // 64)
    course = torch.optim.lr_scheduler.CosineAnnealingLR(rule, steps)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            rule.zero_grad()
            F.cross_entropy(net(x[rows]) / temperature, y[rows]).backward()
            rule.step()
            course.step()
    with torch.no_grad():
        zeros = sum((m.weight == 0).sum().item() for m, _ in weights)
    total = sum(m.weight.numel() for m, _ in weights)
    print(f"{zeros / total:.4f} {accuracy(net, *examples(shared, model, True)):.4f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), sys.argv[6], int(sys.argv[7]), float(sys.argv[8]))
