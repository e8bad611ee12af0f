import { expect, test } from "vitest";
import { toMetricName } from "../../src/intake/metric-name.ts";

test.each<[string, string | undefined]>([
  ["loss", "loss"],
  ["Loss/train", "Loss/train"],
  ["a b:c-d.e_f", "a b:c-d.e_f"],
  ["acc@1", "acc_1"],
  ["metrics/mAP50(B)", "metrics/mAP50_B"],
  ["größe/verlust", "größe/verlust"],
  ["/loss//train/", "loss/train"],
  ["../loss", "loss"],
  ["a/../b/./c", "a/b/c"],
  ["loss (val)", "loss _val"],
  ["_private_", "_private_"],
  ["(loss)", "loss"],
  ["loss\0\n", "loss"],
  ["", undefined],
  ["///", undefined],
  ["..", undefined],
  ["@@", undefined],
  ["x".repeat(300), "x".repeat(250)],
])("%j becomes %j", (name, made) => {
  expect(toMetricName(name)).toBe(made);
});
