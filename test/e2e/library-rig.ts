import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, installed, repository, type Started, type StartOptions, TrackRig } from "./rig.ts";

/** A rig whose programs import the built library as `track`, as an installed package. */
export function setupLibrary(): TrackRig {
  const rig = TrackRig.setup();
  mkdirSync(join(rig.cwd, "node_modules"));
  symlinkSync(installed, join(rig.cwd, "node_modules/track"));
  return rig;
}

export function writeProgram(rig: TrackRig, name: string, code: string): string {
  const path = join(rig.cwd, name);
  writeFileSync(path, `import * as track from "track";\n${code}\n`);
  return path;
}

export function startProgram(rig: TrackRig, code: string, options: StartOptions = {}): Started {
  return rig.spawn(process.execPath, [writeProgram(rig, "train.mjs", code)], options);
}

export const runProgram = (rig: TrackRig, code: string, options: StartOptions = {}): Promise<Finished> =>
  startProgram(rig, code, options).finished;

/** What the program printed with `console.log(JSON.stringify(...))`, one value a line. */
export const printed = ({ stdout, stderr, code }: Finished): readonly unknown[] => {
  if (code !== 0) throw new Error(`the program ended with ${code}: ${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
};

/** The programs in docs/library.md. */
export const examples: readonly string[] = Array.from(
  readFileSync(join(repository, "docs/library.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms),
  ([, code]) => code ?? "",
);
