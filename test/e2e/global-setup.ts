import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Builds `track` into a folder of its own, so that a build of somebody else's does not pull it away under a test. */
export default function setUp(): () => void {
  const installed = mkdtempSync(join(tmpdir(), "track-build-"));
  const build = spawnSync(join(root, "node_modules/.bin/tsdown"), ["--out-dir", join(installed, "dist")], {
    cwd: root,
    encoding: "utf8",
  });
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`);
  // Other users run it too.
  chmodSync(installed, 0o755);
  mkdirSync(join(installed, "bin"));
  cpSync(join(root, "bin/track"), join(installed, "bin/track"));
  cpSync(join(root, "package.json"), join(installed, "package.json"));
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"));
  process.env["TRACK_TEST_INSTALLED"] = installed;
  return () => rmSync(installed, { recursive: true, force: true });
}
