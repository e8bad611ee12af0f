import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ClaimKind } from "../../src/journal/claim.ts";
import { claimJournal } from "../../src/journal/claim.ts";
import { temporaryFolder } from "./journal-rig.ts";

const program = join(import.meta.dirname, "programs/claim-and-hold.ts");

/** Another process's answer; the process still runs where it holds the claim. */
async function claimElsewhere(folder: string, kind: ClaimKind) {
  const child = spawn(process.execPath, [program, folder, kind], { stdio: ["ignore", "pipe", "inherit"] });
  const [answer] = (await once(child.stdout, "data")) as [Buffer];
  return { child, answer: answer.toString().trim() };
}

test.each<ClaimKind>(["socket", "file"])(
  "a claim by %s is exclusive among processes until its holder is killed",
  async (kind) => {
    using folder = temporaryFolder();
    const first = await claimElsewhere(folder.path, kind);
    expect(first.answer).toBe("held");
    expect(await claimJournal(folder.path, kind)).toBeUndefined();

    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const ours = await claimJournal(folder.path, kind);
    expect(ours).toBeDefined();
    const second = await claimElsewhere(folder.path, kind);
    expect(second.answer).toBe("refused");

    await ours?.release();
    const third = await claimElsewhere(folder.path, kind);
    expect(third.answer).toBe("held");
    third.child.kill("SIGKILL");
    await once(third.child, "exit");
  },
);

test("claims of different journals do not meet, and a second claim of the same process is refused", async () => {
  using one = temporaryFolder();
  using other = temporaryFolder();
  const claim = await claimJournal(one.path);
  const elsewhere = await claimJournal(other.path);
  expect(elsewhere).toBeDefined();
  expect(await claimJournal(one.path)).toBeUndefined();
  await claim?.release();
  await elsewhere?.release();
});
