import type { Tools } from "./bench-rig.ts";
import type { Report } from "./figure.ts";

export interface BenchContext {
  readonly tools: Tools;
  readonly report: Report;
  /** A tenth of the work, to see that the benches themselves work; its figures say nothing. */
  readonly isQuick: boolean;
}

/** Measures and reports; throws only when the bench itself is broken. */
export type Bench = (context: BenchContext) => Promise<void>;
