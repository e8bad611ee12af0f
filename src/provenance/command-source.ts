import { basename } from "node:path";

/** What a command line is about, once what only starts something else is taken off its front. */
export interface CommandSource {
  /** The script, module or program that does the work, as typed. */
  readonly name: string;
  /** The innermost program, as typed: the interpreter, or the launcher whose first line names one. */
  readonly program: string;
}

interface Wrapper {
  /** Options whose value is the next word. */
  readonly valued: readonly string[];
  /** Words of its own before the command. */
  readonly words?: number;
}

const wrappers: Readonly<Record<string, Wrapper>> = {
  env: { valued: ["-u", "--unset", "-C", "--chdir"] },
  nice: { valued: ["-n", "--adjustment"] },
  ionice: { valued: ["-c", "-n", "--class", "--classdata"] },
  chrt: { valued: ["-T", "-P", "-D"], words: 1 },
  nohup: { valued: [] },
  setsid: { valued: [] },
  time: { valued: ["-o", "-f", "--output", "--format"] },
  timeout: { valued: ["-k", "-s", "--kill-after", "--signal"], words: 1 },
  stdbuf: { valued: ["-i", "-o", "-e", "--input", "--output", "--error"] },
  taskset: { valued: [], words: 1 },
  numactl: {
    valued: ["-N", "-C", "-m", "-i", "-p", "-P", "--cpunodebind", "--physcpubind", "--membind", "--interleave"],
  },
  sudo: { valued: ["-u", "-g", "-h", "-p", "-C", "-T", "--user", "--group"] },
  exec: { valued: ["-a"] },
  catchsegv: { valued: [] },
};

/** Programs with too many options to know: what they start is found by its name. */
const jobStarters = new Set(
  "srun mpirun mpiexec horovodrun nsys ncu strace ltrace perf apptainer singularity docker".split(" "),
);

/** `<tool> run ...` of project and environment tools. */
const projectTools: Readonly<Record<string, readonly string[]>> = {
  uv: "-p --python --with --with-editable --with-requirements --extra --group --env-file --directory --project --package --index --index-url".split(
    " ",
  ),
  poetry: ["-C", "--directory", "-P", "--project"],
  pipenv: [],
  pdm: ["-p", "--project"],
  rye: [],
  hatch: [],
  pixi: ["-e", "--environment", "--manifest-path"],
  conda: ["-n", "--name", "-p", "--prefix", "--cwd"],
  mamba: ["-n", "--name", "-p", "--prefix", "--cwd"],
  micromamba: ["-n", "--name", "-p", "--prefix", "--cwd", "-a", "--attach"],
};

const launchers = new Set(
  "torchrun accelerate deepspeed ipython ipython3 coverage kernprof scalene viztracer py-spy".split(" "),
);
const launcherModules = new Set(
  (
    "torch.distributed.run torch.distributed.launch accelerate.commands.launch deepspeed.launcher.runner " +
    "pdb ipdb debugpy cProfile profile trace coverage kernprof scalene viztracer memory_profiler line_profiler"
  ).split(" "),
);
const shells = new Set("sh bash dash zsh ksh fish".split(" "));
const interpreters = new Set("node Rscript julia perl ruby lua php bun".split(" "));
const pythonName = /^(?:python|pypy)[\d.]*t?$/u;

/** Whether a program of this name is a Python interpreter. */
export const isPython = (program: string): boolean => pythonName.test(basename(program));

/** Whether a program of this name is a shell. */
export const isShell = (program: string): boolean => shells.has(basename(program));

/** Reads a command line as its programs would; what it can't follow counts as the program itself. */
export function readCommandSource(argv: readonly string[]): CommandSource {
  const [program = "", ...rest] = argv;
  const inner = innerCommand(basename(program), rest);
  if (inner !== undefined && inner.length > 0) return readCommandSource(inner);
  return { program, name: nameOf(program, rest) };
}

function nameOf(program: string, rest: readonly string[]): string {
  const base = basename(program);
  if (isPython(base)) return nameOfPython(program, rest);
  if (launchers.has(base)) return nameOfLaunched(rest) ?? program;
  if (shells.has(base)) return nameOfInterpreted(rest, /^-[a-z]*c$/u) ?? program;
  if (interpreters.has(base)) return nameOfInterpreted(rest, /^-[a-z]*[epE]$|^--(?:eval|print)/u) ?? program;
  return program;
}

function innerCommand(base: string, rest: readonly string[]): readonly string[] | undefined {
  const wrapper = Object.hasOwn(wrappers, base) ? wrappers[base] : undefined;
  if (wrapper !== undefined) return afterOptions(rest, wrapper);
  const valued = Object.hasOwn(projectTools, base) ? projectTools[base] : undefined;
  const run = rest.indexOf("run");
  if (valued !== undefined && run !== -1) return commandOfProjectTool(rest.slice(run + 1), valued);
  if (!jobStarters.has(base)) return undefined;
  const known = rest.findIndex((word) => isKnownProgram(basename(word)));
  if (known !== -1) return rest.slice(known);
  const script = rest.findIndex((word) => isScript(word));
  return script === -1 ? undefined : rest.slice(script);
}

function commandOfProjectTool(rest: readonly string[], valued: readonly string[]): readonly string[] {
  const command = afterOptions(rest, { valued });
  const before = rest.slice(0, rest.length - command.length);
  if (before.includes("-m") || before.includes("--module")) return ["python", "-m", ...command];
  return command[0]?.endsWith(".py") === true ? ["python", ...command] : command;
}

function afterOptions(words: readonly string[], wrapper: Wrapper): readonly string[] {
  let ownWords = wrapper.words ?? 0;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "--") return words.slice(index + 1 + ownWords);
    if (wrapper.valued.includes(word)) index += 1;
    else if (!word.startsWith("-") && !/^[A-Za-z_]\w*=/u.test(word)) {
      if (ownWords === 0) return words.slice(index);
      ownWords -= 1;
    }
  }
  return [];
}

function isKnownProgram(base: string): boolean {
  return (
    pythonName.test(base) ||
    launchers.has(base) ||
    shells.has(base) ||
    interpreters.has(base) ||
    Object.hasOwn(wrappers, base)
  );
}

const isScript = (word: string): boolean => /\.(?:py|sh|bash|R|jl|pl|js|mjs|ts)$/u.test(word) && !word.startsWith("-");

/** As `sys.argv[0]` has it, but for a module its name: where its file lies only Python knows. */
function nameOfPython(program: string, rest: readonly string[]): string {
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? "";
    if (word === "-" || !word.startsWith("-")) return word;
    if (word === "--check-hash-based-pycs") index += 1;
    const option = /^-[A-Za-bd-lnp-su-vy-z]*?([cmWXQ])(.*)$/su.exec(word);
    if (option === null || word.startsWith("--")) continue;
    const [, letter, attached = ""] = option;
    if (letter === "c") return "-c";
    if (letter === "m")
      return nameOfModule(attached === "" ? (rest[index + 1] ?? program) : attached, rest.slice(index + 1));
    if (attached === "") index += 1;
  }
  return program;
}

function nameOfModule(module: string, rest: readonly string[]): string {
  return launcherModules.has(module) ? (nameOfLaunched(rest) ?? module) : module;
}

function nameOfLaunched(rest: readonly string[]): string | undefined {
  for (const [index, word] of rest.entries()) {
    if (isScript(word)) return word;
    if ((word === "-m" || word === "--module") && rest[index + 1] !== undefined) return rest[index + 1];
  }
  return undefined;
}

function nameOfInterpreted(rest: readonly string[], inlineCode: RegExp): string | undefined {
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? "";
    if (!/^[-+]/u.test(word)) return word;
    if (inlineCode.test(word)) return undefined;
    if (["-o", "-O", "+o", "+O", "--rcfile", "--init-file", "-r", "--require", "--import", "-I"].includes(word))
      index += 1;
  }
  return undefined;
}
