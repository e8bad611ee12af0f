import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { isPython, isShell, readCommandSource } from "./command-source.ts";
import { resolvePyenvShim } from "./pyenv.ts";
import { isProgram, readStart } from "./quiet-files.ts";

export interface CommandPlace {
  readonly cwd: string;
  /** The command's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Path of the Python interpreter that a command runs on, as its own shell would find it, without running anything:
 * the interpreter itself, the one in a script's first line, the one of the tool's environment (`uv run`, `conda run -n`),
 * and for shell scripts the one that `python` means there. `undefined`: the command is no Python as far as can be seen.
 */
export async function findPython(command: readonly string[], outer: CommandPlace): Promise<string | undefined> {
  const { program } = readCommandSource(command);
  const toolEnvironment = await findToolEnvironment(command, outer);
  const place = toolEnvironment === undefined ? outer : withFolder(outer, toolEnvironment);
  const found = await findProgram(program, place);
  if (found === undefined) return undefined;
  if (isPython(program)) return found;
  if (isShell(program)) return findEnvironmentPython(place);
  const [first = "", second = ""] = (await readStart(found, 1024))?.split("\n") ?? [];
  if (!first.startsWith("#!")) return undefined;
  const words = first.slice(2).trim().split(/\s+/u);
  const interpreter = readCommandSource(words).program;
  if (isPython(interpreter)) return findProgram(interpreter, place);
  // What pip writes where the interpreter's path is too long for the kernel.
  const long = /^'''exec' (?:"([^"]+)"|(\S+)) "\$0"/u.exec(second);
  if (long !== null) return long[1] ?? long[2];
  return isShell(interpreter) ? findEnvironmentPython(place) : undefined;
}

async function findEnvironmentPython(place: CommandPlace): Promise<string | undefined> {
  for (const prefix of [place.env["VIRTUAL_ENV"], place.env["CONDA_PREFIX"]]) {
    if (prefix !== undefined && prefix !== "" && (await isProgram(join(prefix, "bin", "python"))))
      return join(prefix, "bin", "python");
  }
  return (await findProgram("python", place)) ?? findProgram("python3", place);
}

/** As execvp: by PATH where the name has no slash, else relative to the working folder; shims of pyenv are followed. */
async function findProgram(program: string, place: CommandPlace): Promise<string | undefined> {
  if (program === "") return undefined;
  if (program.includes("/")) {
    const path = resolve(place.cwd, program);
    return (await isProgram(path)) ? path : undefined;
  }
  for (const folder of (place.env["PATH"] ?? "").split(delimiter)) {
    const path = join(resolve(place.cwd, folder === "" ? "." : folder), program);
    if (!(await isProgram(path))) continue;
    return basename(dirname(path)) === "shims" ? resolvePyenvShim(path, place) : path;
  }
  return undefined;
}

const withFolder = (place: CommandPlace, environment: string): CommandPlace => ({
  ...place,
  env: { ...place.env, PATH: `${join(environment, "bin")}${delimiter}${place.env["PATH"] ?? ""}` },
});

/** Prefix of the environment that a `<tool> run` uses. */
async function findToolEnvironment(command: readonly string[], place: CommandPlace): Promise<string | undefined> {
  const tool = basename(command[0] ?? "");
  if (/^(?:conda|mamba|micromamba)$/u.test(tool)) return findCondaEnvironment(command, place.env);
  if (!/^(?:uv|poetry|pipenv|pdm|rye|pixi)$/u.test(tool)) return undefined;
  const named = tool === "uv" ? place.env["UV_PROJECT_ENVIRONMENT"] : undefined;
  const folder = named || (tool === "pixi" ? join(".pixi", "envs", "default") : ".venv");
  for (let parent = place.cwd; ; parent = dirname(parent)) {
    const prefix = isAbsolute(folder) ? folder : join(parent, folder);
    if (await isProgram(join(prefix, "bin", "python"))) return prefix;
    if (dirname(parent) === parent) return undefined;
  }
}

function findCondaEnvironment(command: readonly string[], env: CommandPlace["env"]): string | undefined {
  const after = (...options: string[]): string | undefined => {
    const at = command.findIndex((word) => options.includes(word));
    return at === -1 ? undefined : command[at + 1];
  };
  const prefix = after("-p", "--prefix");
  if (prefix !== undefined) return prefix;
  const name = after("-n", "--name");
  const root = env["MAMBA_ROOT_PREFIX"] || (env["CONDA_EXE"] && dirname(dirname(env["CONDA_EXE"])));
  if (!root || name === undefined) return undefined;
  return name === "base" ? root : join(root, "envs", name);
}
