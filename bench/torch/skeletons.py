"""Writes the models of the table without their weights, for machines that have
no PyTorch:

    skeletons.py FOLDER
"""

import gzip
import os
import subprocess
import sys
import tempfile

import onnx

TABLE = {
    "mlp-small": 0, "mlp-mnist": 0, "mlp-large": 0, "mlp-100mb": 0, "cnn": 28, "resnet18": 224,
    "mobilenet_v2": 224, "unet": 128, "transformer": 128, "lstm": 100,
}

for name, size in TABLE.items():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "export.py"), name, str(size), folder], check=True)
        model = onnx.load(os.path.join(folder, "model.onnx"))
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.ClearField("raw_data")
    with open(os.path.join(sys.argv[1], f"{name}-{size}.onnx.gz"), "wb") as f:
        f.write(gzip.compress(model.SerializeToString(), mtime=0))
