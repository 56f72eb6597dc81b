"""Writes a model as ONNX, and its weights as PyTorch has them:

    export.py MODEL SIZE FOLDER
"""

import inspect
import os
import sys
import warnings

import torch

from models import build, settle

warnings.filterwarnings("ignore")
name, size, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
model, example = build(name, size)
settle(model, example)
model.eval()
torch.save(model.state_dict(), os.path.join(folder, "weights.pt"))
options = {}
if "dynamo" in inspect.signature(torch.onnx.export).parameters:
    options["dynamo"] = False  # later versions export in another way, too
torch.onnx.export(
    model,
    torch.stack([example, example]),
    os.path.join(folder, "model.onnx"),
    input_names=["input"],
    output_names=["output"],
    dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
    opset_version=14,
    # Batch normalisation stays, instead of being folded into convolutions.
    training=torch.onnx.TrainingMode.PRESERVE,
    **options,
)
