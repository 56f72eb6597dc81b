// ONNX Runtime's side of the comparison of evaluations. It is given a job as
// JSON (protocol/job.go) and answers the commands that torch/worker.py does. Only the run
// of the model is timed; the loss is computed from its output afterwards.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const ort = require('onnxruntime-node');

const job = JSON.parse(process.argv[2]);
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');

function floats(name) {
  const bytes = fs.readFileSync(path.join(job.data, name));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function crossEntropy(scores, labels) {
  let sum = 0;
  for (let r = 0; r < labels.length; r++) {
    const row = scores.subarray(r * job.classes, (r + 1) * job.classes);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    sum += top + Math.log(row.reduce((a, b) => a + Math.exp(b - top), 0)) - row[labels[r]];
  }
  return sum / labels.length;
}

function peak() {
  const kilobytes = /VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  return Number(kilobytes[1]) / 1024;
}

async function main() {
  const session = await ort.InferenceSession.create(path.join(job.folder, 'model.onnx'), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: job.threads,
    interOpNumThreads: 1,
  });
  const inputs = floats('inputs');
  const labels = floats('labels');
  const size = job.input.reduce((a, b) => a * b, job.batch);
  const batches = [];
  for (let b = 0; b < job.batches; b++) {
    batches.push(new ort.Tensor('float32', inputs.subarray(b * size, (b + 1) * size), [job.batch, ...job.input]));
  }
  let done = 0;
  say({ version: `ONNX Runtime ${require('onnxruntime-node/package.json').version}` });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, number] = line.split(' ');
    if (verb !== 'run') {
      say({ megabytes: peak() });
      continue;
    }
    let seconds = 0;
    const losses = [];
    for (let k = 0; k < Number(number); k++, done++) {
      const b = done % job.batches;
      const start = process.hrtime.bigint();
      const { output } = await session.run({ input: batches[b] });
      seconds += Number(process.hrtime.bigint() - start) / 1e9;
      if (losses.length < 20) {
        losses.push(crossEntropy(output.data, labels.subarray(b * job.batch, (b + 1) * job.batch)));
      }
    }
    say({ seconds, losses });
  }
}

main().catch((err) => say({ error: String(err.message || err) }));
