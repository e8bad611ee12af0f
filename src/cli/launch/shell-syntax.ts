/** Shells whose syntax is known; all but fish read POSIX. */
export type ShellSyntax = "bash" | "dash" | "fish" | "sh" | "zsh";

export const shellSyntaxes: readonly ShellSyntax[] = ["bash", "dash", "fish", "sh", "zsh"];
