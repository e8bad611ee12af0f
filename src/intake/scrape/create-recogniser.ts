import { AutoRecogniser, type LineRecogniser } from "./auto-recogniser.ts";
import type { OnFinding } from "./progress-bars.ts";

/**
 * Makes recognisers for `auto` or a pattern of the user's, one for each stream. Rejects with `UsageError` for what is no pattern;
 * the engine for patterns is loaded only for one.
 */
export async function recogniserMaker(scrape: string): Promise<(onFinding: OnFinding) => LineRecogniser> {
  if (scrape === "auto") return (onFinding) => new AutoRecogniser(onFinding);
  const { ScrapePattern, PatternRecogniser } = await import("./scrape-pattern.ts");
  const pattern = new ScrapePattern(scrape);
  return (onFinding) => new PatternRecogniser(pattern, onFinding);
}
