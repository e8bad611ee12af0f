import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installed, TrackRig } from "./rig.ts";

/** A copy that has compiled nothing yet. */
function freshInstall(rig: TrackRig): { readonly bin: string; readonly cache: string } {
  const folder = join(rig.root, "install");
  for (const name of ["bin", "dist", "package.json"]) {
    cpSync(join(installed, name), join(folder, name), {
      recursive: true,
      filter: (source) => !source.endsWith("/.cache"),
    });
  }
  symlinkSync(join(installed, "node_modules"), join(folder, "node_modules"));
  return { bin: join(folder, "bin/track"), cache: join(folder, "dist/.cache") };
}

/** What the programs of a run have kept; not what Node keeps by itself. */
const keptIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => /^(?:main|recorder)\.cjs-/u.test(name))
    .map((name) => join(folder, name));

const run = (rig: TrackRig, bin: string, env?: Readonly<Record<string, string>>) =>
  rig.spawn(bin, ["run", "--", "sh", "-c", "echo loss=1 >> $TRACK_LOG; exit 3"], env && { env }).finished;

/** The recorder may end, and keep its code, a moment after the command. */
async function runUntilKept(rig: TrackRig, bin: string, folder: string, env?: Readonly<Record<string, string>>) {
  const done = await run(rig, bin, env);
  await expect.poll(() => keptIn(folder).filter((name) => /-\d+(?:\.\d+)?$/u.test(name)).length).toBe(2);
  return done;
}

test("the first run keeps what it has compiled, the next takes it as it is", async () => {
  await using rig = TrackRig.setup();
  const { bin, cache } = freshInstall(rig);
  expect((await runUntilKept(rig, bin, cache)).code).toBe(3);
  const kept = keptIn(cache).map((path) => [path, statSync(path).ino]);
  expect((await run(rig, bin)).code).toBe(3);
  await rig.spawn(bin, ["ls"]).finished;
  const now = keptIn(cache).map((path) => [path, statSync(path).ino]);
  expect(now).toEqual(expect.arrayContaining(kept));
});

test.each([
  ["damaged", (bytes: Buffer) => bytes.fill(0x5a, bytes.length / 2, bytes.length / 2 + 400)],
  ["torn", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ["empty", () => Buffer.alloc(0)],
  ["all zeros", (bytes: Buffer) => Buffer.alloc(bytes.length)],
])("code that is %s is left alone and kept anew", async (_, spoil) => {
  await using rig = TrackRig.setup();
  const { bin, cache } = freshInstall(rig);
  await runUntilKept(rig, bin, cache);
  const sizes = keptIn(cache).map((path) => statSync(path).size);
  for (const path of keptIn(cache)) writeFileSync(path, spoil(readFileSync(path)));
  const done = await run(rig, bin);
  expect(done).toMatchObject({ code: 3, stdout: "" });
  expect(done.stderr).toContain("FAILED");
  await expect
    .poll(() => keptIn(cache).every((path, index) => statSync(path).size > (sizes[index] ?? 0) / 2 && isWhole(path)))
    .toBe(true);
});

const isWhole = (path: string): boolean =>
  !readFileSync(path)
    .subarray(100, 10_000)
    .every((byte) => byte === 0);

test("where the program's folder takes nothing it is kept in the user's own", async () => {
  await using rig = TrackRig.setup();
  const { bin, cache } = freshInstall(rig);
  writeFileSync(cache, "");
  const own = join(rig.root, "home/.cache/track");
  mkdirSync(own, { recursive: true });
  expect((await runUntilKept(rig, bin, own)).code).toBe(3);
});
