/**
 * `text` on one line and harmless to a terminal: line breaks, tabs and control characters as `\n`, `\t`, `\x1b`; so are
 * the marks that turn the direction of all that follows (`\u202e`).
 */
export function formatCell(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    if (character === "\t") return "\\t";
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
  });
}
