import { basename } from "node:path";

/** Programs that use descriptors 1 and 2 as *the* terminal: behind a pseudo terminal they lose job control or their keyboard. */
const fullScreen = new Set(
  (
    "vi vim nvim view nano pico emacs joe micro hx kak mcedit less more most man bat top htop btop atop iotop nvtop nvitop glances " +
    "watch tmux screen mc ranger nnn lf fzf dialog whiptail tig lazygit k9s ncdu w3m lynx mutt alsamixer cfdisk"
  ).split(" "),
);

const shells = new Set("sh bash dash zsh fish ksh mksh csh tcsh ash busybox".split(" "));

/** Interpreters that become a prompt only when they are given nothing to run. */
const prompts =
  /^(?:python[\d.]*|ipython3?|bpython|node|deno|bun|R|julia|irb|ghci|lua|octave|sqlite3|psql|mysql|redis-cli)$/u;

/** Shell options whose next word is their value and no script. */
const optionsWithValue = new Set(["--rcfile", "--init-file", "-o", "+o", "-O", "+O"]);

/** Programs that become another one, which stands behind their options, assignments and numbers. */
const precursors = new Set("env nice ionice nohup time stdbuf setsid chrt taskset exec command".split(" "));
const noProgram = /^(?:[-+].*|[A-Za-z_]\w*=.*|\d+)$/su;

/** Whether a command is a bare shell, an editor, a pager or the like, judged by its name and arguments. */
export function isInteractiveProgram(name: string, args: readonly string[]): boolean {
  if (fullScreen.has(name)) return true;
  if (prompts.test(name)) return args.every((arg) => arg === "-i" || arg === "-q");
  if (precursors.has(name)) return isInteractiveCommand(behindOptions(args));
  return shells.has(name) && (isBareShell(args) || isInteractiveCommand(onlyCommandOf(args)));
}

function isInteractiveCommand([program, ...args]: readonly string[]): boolean {
  return program !== undefined && isInteractiveProgram(basename(program), args);
}

function behindOptions(args: readonly string[]): readonly string[] {
  const start = args.findIndex((arg) => !noProgram.test(arg));
  return start === -1 ? [] : args.slice(start);
}

/** The words of a shell's `-c`, where they are one plain command. */
function onlyCommandOf(args: readonly string[]): readonly string[] {
  const [option = "", text = ""] = args;
  const isPlain = /^-[a-z]*c$/u.test(option) && !/[;|&<>()$`\\"'\n*?[\]{}#]/u.test(text);
  return isPlain ? text.trim().split(/\s+/u) : [];
}

function isBareShell(args: readonly string[]): boolean {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? "";
    if (optionsWithValue.has(arg)) index += 1;
    else if (!/^[-+]/u.test(arg) || arg === "--") return false;
    else if (/^-[^-]*c/u.test(arg)) return false;
  }
  return true;
}
