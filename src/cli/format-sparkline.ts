const bars = "▁▂▃▄▅▆▇█";
const asciiBars = "_.-=+*%#";

/** One bar for each value, scaled from the lowest to the highest; a blank where the value is NaN or infinite; nothing for a single value. */
export function formatSparkline(values: readonly number[], { isUtf8 = true } = {}): string {
  const levels = isUtf8 ? bars : asciiBars;
  if (values.length < 2) return "";
  const finite = values.filter((value) => Number.isFinite(value));
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      const share = span > 0 ? (value - low) / span : 0.5;
      return levels.charAt(Math.min(levels.length - 1, Math.floor(share * levels.length)));
    })
    .join("");
}
