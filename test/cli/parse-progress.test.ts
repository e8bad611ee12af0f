import { expect, test } from "vitest";
import { parseProgress } from "../../src/cli/parse-progress.ts";

test.each<[string, object | undefined]>([
  // tqdm
  ["  0%|          | 0/1000 [00:00<?, ?it/s]", { percent: 0, done: 0, total: 1000 }],
  ["\r 43%|####3     | 430/1000 [00:12<01:05, 34.2it/s]", { percent: 43, done: 430, total: 1000, remainingMs: 65_000 }],
  [
    "Epoch 3:  45%|████▌     | 45/100 [00:05<2:01:05, 9.1it/s, loss=0.31]",
    { percent: 45, done: 45, total: 100, remainingMs: 7_265_000 },
  ],
  [
    "model.bin:  12%|█▏        | 1.5M/12.5M [00:01<00:08, 1.2MB/s]",
    { percent: 12, done: 1_500_000, total: 12_500_000, remainingMs: 8000 },
  ],
  ["100%|██████████| 10/10 [00:10<00:00]\ntrained\n", { percent: 100, done: 10, total: 10, remainingMs: 0 }],
  // colours and cursor movements around it
  [
    "\u001b[32m 50%|\u001b[0m█████     | 5/10 [00:01<00:01]\u001b[K\u001b[A",
    { percent: 50, done: 5, total: 10, remainingMs: 1000 },
  ],
  // Keras
  [
    "12/100 [==>...........................] - ETA: 3s - loss: 0.5",
    { percent: 12, done: 12, total: 100, remainingMs: 3000 },
  ],
  [
    "\u001b[1m 25/100\u001b[0m \u001b[32m━━━━━\u001b[0m\u001b[37m━━━━━━━━\u001b[0m \u001b[1m2s\u001b[0m 30ms/step",
    { percent: 25, done: 25, total: 100 },
  ],
  // rich, wget, pip
  ["Working... ━━━━━━━━━╺━━━━━━━━━━━━━━━━━━━  24% 0:00:12", { percent: 24 }],
  ["45% [==================>          ] 12,345,678", { percent: 45 }],
  // words
  ["step 430/1000 loss 0.31", { percent: 43, done: 430, total: 1000 }],
  ["Epoch [3/10], Loss: 0.2", { percent: 30, done: 3, total: 10 }],
  ["iteration 5 of 20", { percent: 25, done: 5, total: 20 }],
  ["Progress: 12.5%", { percent: 12.5 }],
  ["80 % complete", { percent: 80 }],
  // the last one counts
  ["epoch 1/4\nepoch 2/4\nsaved a checkpoint\n", { percent: 50, done: 2, total: 4 }],
  // no progress
  ["", undefined],
  ["accuracy: 93%", undefined],
  ["2026/11/25 12:00:00 loss=0.3", undefined],
  ["wrote /data/1/2/x", undefined],
  ["step 12/10", undefined],
  ["step 1/0", undefined],
  ["999%|###| 5/", undefined],
  ["12345it [00:10, 1234it/s]", undefined],
])("%j tells %j", (text, expected) => {
  expect(parseProgress(text)).toEqual(expected);
});

test("what is far behind the last lines is no progress any more", () => {
  expect(parseProgress(`50%|#####     | 5/10\n${"x\n".repeat(60)}`)).toBeUndefined();
});

test("hostile text takes no time", () => {
  const began = performance.now();
  for (const text of [
    "1%|".repeat(3000),
    "[=".repeat(4000),
    "9".repeat(8000),
    `step ${"[".repeat(8000)}`,
    "\u001b[".repeat(4000),
  ]) {
    parseProgress(text);
    parseProgress(text.split("").join("\n"));
  }
  expect(performance.now() - began).toBeLessThan(500);
});
