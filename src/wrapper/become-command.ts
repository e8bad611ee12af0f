import { resolveCommand } from "./resolve-command.ts";

/**
 * The last resort where no process can be started beside this one: it becomes the command, unrecorded. Returns only where the
 * command cannot be found either.
 */
export function becomeCommand({
  argv,
  env,
}: {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}): void {
  const name = argv[0] ?? "";
  if (typeof resolveCommand(name, env["PATH"], "") !== "string") return;
  // Node ignores these two, and a program inherits that.
  for (const signal of ["SIGPIPE", "SIGXFSZ"] as const) {
    const handler = (): void => undefined;
    process.on(signal, handler);
    process.off(signal, handler);
  }
  // A failed execve aborts Node; the shell, which is there, runs scripts without a first line too.
  process.execve?.("/bin/sh", ["sh", "-c", 'exec "$0" "$@"', ...argv], env);
}
