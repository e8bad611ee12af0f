import { isatty } from "node:tty";
import { UsageError } from "../errors.ts";
import type { Context } from "./context.ts";

/**
 * Asks on the terminal before something is done that cannot be brought back; only `y` or `yes` is a yes. Where nobody can be
 * asked: `UsageError`, whose hint names `--yes`.
 */
export async function confirm(context: Context, question: string): Promise<boolean> {
  if (!context.io.isErrTerminal || !isatty(0)) {
    throw new UsageError(`nobody can be asked here: ${question}`, { hint: "--yes does it without asking" });
  }
  context.io.err(`track: ${question} [y/N] `);
  let answer = "";
  for await (const chunk of context.stdin()) {
    answer += Buffer.from(chunk).toString();
    if (answer.includes("\n")) break;
  }
  return /^y(?:es)?$/iu.test(answer.trim());
}
