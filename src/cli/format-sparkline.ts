const bars = "▁▂▃▄▅▆▇█";

/** One bar for each value, scaled from the lowest to the highest; a blank where the value is NaN or infinite; nothing for a single value. */
export function formatSparkline(values: readonly number[]): string {
  if (values.length < 2) return "";
  const finite = values.filter((value) => Number.isFinite(value));
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      const share = span > 0 ? (value - low) / span : 0.5;
      return bars.charAt(Math.min(bars.length - 1, Math.floor(share * bars.length)));
    })
    .join("");
}
