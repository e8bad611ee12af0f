import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { describe, expect, test } from "vitest";
import { examples, setupLibrary } from "./library-rig.ts";
import { installed, repository, TrackRig } from "./rig.ts";

const packageJson = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as Record<string, unknown>;

/** The files of the package as npm would pack them. */
function pack(rig: TrackRig): string {
  const tarball = join(rig.root, "track.tgz");
  const folders = ["bin", "dist", "package.json"];
  const args = ["-czf", tarball, "--transform", "s,^,package/,", "-C", installed, ...folders];
  const packed = spawnSync("tar", args, { encoding: "utf8" });
  if (packed.status !== 0) throw new Error(packed.stderr);
  return tarball;
}

describe("the package", () => {
  test("publint finds nothing", async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, packageJson))).toEqual([]);
  });

  test("its types are not wrong, for ESM, which it is", async () => {
    await using rig = TrackRig.setup();
    const packed = createPackageFromTarballData(new Uint8Array(readFileSync(pack(rig))));
    const result = await checkPackage(packed);
    if (result.types === false) throw new Error("the package has no types");
    // An ESM package resolves in CommonJS by require(esm), of which this tool warns; Node 10's resolution knows no exports.
    const problems = result.problems.filter(
      (problem) =>
        problem.kind !== "CJSResolvesToESM" && !("resolutionKind" in problem && problem.resolutionKind === "node10"),
    );
    expect(problems).toEqual([]);
  });

  test("what the compiler takes and refuses, and the examples of the documentation", async () => {
    await using rig = setupLibrary();
    const types = join(rig.cwd, "types");
    mkdirSync(types);
    writeFileSync(join(types, "types.mts"), readFileSync(join(repository, "test/library-types/types.ts"), "utf8"));
    const program = readFileSync(join(repository, "fixtures/programs/train-library.ts"), "utf8");
    writeFileSync(join(types, "train.mts"), program);
    for (const [index, code] of examples.entries()) writeFileSync(join(types, `example-${index}.mts`), code);
    mkdirSync(join(rig.cwd, "node_modules/@types"));
    symlinkSync(join(repository, "node_modules/@types/node"), join(rig.cwd, "node_modules/@types/node"));
    symlinkSync(join(repository, "node_modules/undici-types"), join(rig.cwd, "node_modules/undici-types"));
    const compilerOptions = {
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
    };
    writeFileSync(join(rig.cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["types"] }));
    const tsc = spawnSync(join(repository, "node_modules/.bin/tsc"), ["-p", "."], { cwd: rig.cwd, encoding: "utf8" });
    expect(tsc.stdout + tsc.stderr).toBe("");
    expect(tsc.status).toBe(0);
  });

  test("importing it does nothing", async () => {
    await using rig = setupLibrary();
    writeFileSync(join(rig.cwd, "a.mjs"), 'import "track"; console.log(process._getActiveHandles().length);');
    const before = spawnSync("ls", ["-AR", rig.root], { encoding: "utf8" }).stdout;
    const done = await rig.spawn(process.execPath, ["a.mjs"]).finished;
    expect(done.stderr).toBe("");
    expect(spawnSync("ls", ["-AR", rig.root], { encoding: "utf8" }).stdout).toBe(before);
  });
});
