/** JSON as Python's `json.dumps` writes it: a blank behind commas and colons, ASCII only; for texts that both sides compare. */
export function toPythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toPythonJson).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${toPythonJson(key)}: ${toPythonJson(item)}`)
      .join(", ")}}`;
  }
  const text = JSON.stringify(value) ?? "null";
  return text.replaceAll(
    /[\u007f-\uffff]/g,
    (mark) => String.raw`\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
