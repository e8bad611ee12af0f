import { findKeyFault } from "../entities/validation.ts";
import { limits } from "../entities/limits.ts";
import { firstCodePoints } from "../util/code-points.ts";
import { memoize } from "../util/memoize.ts";

/**
 * A name that other software gave (a TensorBoard tag, a word of a log) as MLflow takes it: what MLflow refuses becomes `_`.
 * `undefined` where nothing is left of it.
 */
export const toMetricName = memoize(makeName);

function makeName(name: string): string | undefined {
  const parts = name
    .replaceAll("\0", "")
    .replaceAll(/[^/\p{L}\p{N}_.\- :]+/gu, "\0")
    .split("/")
    // A bracket at the edge leaves nothing behind: `mAP50(B)`.
    .map((part) =>
      part
        .replaceAll(/^\0|\0$/gu, "")
        .replaceAll("\0", "_")
        .trim(),
    )
    .filter((part) => !/^[. ]*$/u.test(part));
  const made = firstCodePoints(parts.join("/"), limits.keyLength);
  return findKeyFault(made) === undefined ? made : undefined;
}
