"""The models that are compared, as a user of PyTorch would write them.

Dropout is off: it would make the losses of two programs differ. build(name, size)
is the module in its initial state, the same for the same seed, and an example of
its input without the batch axis. size is the side of the image, the number of
tokens or of time steps; models of one size ignore it.
"""

import math

import torch
from torch import nn


def mlp(*widths):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


def double_conv(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
        nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
    )


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox, 2015) with padding, and half its width."""

    def __init__(self, channels=3, classes=2, widths=(32, 64, 128, 256)):
        super().__init__()
        self.down = nn.ModuleList()
        for a, b in zip((channels,) + widths, widths):
            self.down.append(double_conv(a, b))
        self.rise = nn.ModuleList()
        self.up = nn.ModuleList()
        for a, b in zip(widths[::-1], widths[-2::-1]):
            self.rise.append(nn.ConvTranspose2d(a, b, 2, stride=2))
            self.up.append(double_conv(a, b))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            if i > 0:
                x = torch.max_pool2d(x, 2)
            x = down(x)
            kept.append(x)
        for rise, up, skip in zip(self.rise, self.up, kept[-2::-1]):
            x = up(torch.cat([skip, rise(x)], 1))
        return self.head(x)


class Block(nn.Module):
    """A layer of a Transformer (Vaswani et al., 2017), normalised before."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.gelu = nn.GELU()

    def forward(self, x):
        tokens, width = x.shape[1], x.shape[2]

        def split(v):
            return v.view(-1, tokens, self.heads, width // self.heads).transpose(1, 2)

        y = self.norm1(x)
        q, k, v = split(self.query(y)), split(self.key(y)), split(self.value(y))
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(width // self.heads)
        y = torch.matmul(torch.softmax(scores, -1), v)
        x = x + self.out(y.transpose(1, 2).reshape(-1, tokens, width))
        return x + self.fc2(self.gelu(self.fc1(self.norm2(x))))


class Transformer(nn.Module):
    """Classifies a text: embedding, sinusoidal positions, 4 layers, mean, head."""

    def __init__(self, tokens, vocabulary=1000, width=256, layers=4, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        at = torch.arange(tokens).unsqueeze(1)
        wave = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        positions = torch.zeros(tokens, width)
        positions[:, 0::2] = torch.sin(at * wave)
        positions[:, 1::2] = torch.cos(at * wave)
        self.register_buffer("positions", positions)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.blocks(self.embed(tokens) + self.positions)
        return self.head(self.norm(x).mean(1))


class LSTM(nn.Module):
    """Classifies a series by the last state of an LSTM."""

    def __init__(self, features=64, hidden=256, classes=10):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


def resnet18(size):
    import torchvision

    return torchvision.models.resnet18(weights=None), torch.zeros(3, size, size)


def mobilenet_v2(size):
    import torchvision

    return torchvision.models.MobileNetV2(dropout=0.0), torch.zeros(3, size, size)


MODELS = {
    "mlp-small": lambda size: (mlp(20, 64, 3), torch.zeros(20)),
    "mlp-mnist": lambda size: (mlp(784, 512, 10), torch.zeros(784)),
    "mlp-large": lambda size: (mlp(1024, 1024, 100), torch.zeros(1024)),
    "mlp-100mb": lambda size: (mlp(4096, 4096, 2048, 100), torch.zeros(4096)),
    "cnn": lambda size: (CNN(), torch.zeros(1, 28, 28)),
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
    "unet": lambda size: (UNet(), torch.zeros(3, size, size)),
    "transformer": lambda size: (Transformer(size), torch.zeros(size, dtype=torch.long)),
    "lstm": lambda size: (LSTM(), torch.zeros(size, 64)),
}


def build(name, size):
    torch.manual_seed(1)
    model, example = MODELS[name](size)
    # Tensors that are all ones or zeros get noise: the exporter merges equal
    # tensors into one, which would tie weights that are not tied here.
    with torch.no_grad():
        for t in list(model.parameters()) + list(model.buffers()):
            if t.is_floating_point() and t.min() == t.max():
                t.add_(0.01 * torch.rand_like(t))
    return model, example


def settle(model, example):
    """Gives batch normalisation the statistics of a random batch, as training
    would have done."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return
    for m in norms:
        m.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(torch.randn(8, *example.shape))
    for m in norms:
        m.momentum = 0.1
