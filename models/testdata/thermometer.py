# Prints what PyTorch makes of the two fits in thermometer_test.go, for the
# numbers there: python3 thermometer.py, made with torch 1.13.
#
# The data is the thermometer of unknown scale of Stevens, Antiga, Viehmann:
# Deep Learning with PyTorch (2020), chapter 5.

import torch

t_c = torch.tensor([0.5, 14, 15, 28, 11, 8, 3, -4, 6, 13, 21])
t_u = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])


def fit(rule, lr, x, epochs):
    w = torch.ones(1, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    optimizer = rule([w, b], lr=lr)
    for _ in range(epochs):
        loss = torch.nn.functional.mse_loss(x[:, None] @ w + b, t_c[:, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The loss is that of the last forward pass, before the last step.
    print(f"{rule.__name__:4} w {w.item():.4f} b {b.item():.4f} loss {loss.item():.6f}")


fit(torch.optim.SGD, 1e-2, 0.1 * t_u, 5000)
fit(torch.optim.Adam, 1e-1, t_u, 2000)
