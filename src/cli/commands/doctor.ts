import { tmpdir } from "node:os";
import { journalRoots } from "../../client/journal-folder.ts";
import type { Run } from "../../entities/run.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { variable } from "../../settings/tracking-uri.ts";
import { readHeartbeat } from "../../wire/run-processes.ts";
import { closeRun } from "../close-run.ts";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import type { Check } from "../doctor/check.ts";
import { checkJournals } from "../doctor/journal-checks.ts";
import { checkLeftovers } from "../doctor/leftover-checks.ts";
import { checkMachine } from "../doctor/machine-checks.ts";
import { checkPlaces, checkStore } from "../doctor/place-checks.ts";
import { checkStaleRuns, describeStale, findStaleRuns, staleAfterMs } from "../doctor/stale-runs.ts";
import { formatCell } from "../format-cell.ts";
import { journalPlaces } from "../launch/journal-places.ts";
import { openExisting } from "../open-for-reading.ts";
import { writeJson } from "../write-json.ts";

export interface DoctorOptions {
  /** End runs that nothing will end any more, instead of looking at everything. */
  readonly stale?: boolean;
  /** How old a heartbeat must be for that. */
  readonly olderThanMs?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}

/** Looks at everything that recording needs, one line each; 1 where something is to be done. */
export async function doctor(context: Context, options: DoctorOptions): Promise<number> {
  if (options.stale === true) return await endStaleRuns(context, options);
  const checks = await check(context, options);
  if (options.json === true) writeJson(context.io, { checks });
  else for (const one of checks) writeCheck(context, one);
  return checks.every(({ ok }) => ok) ? 0 : 1;
}

async function check(context: Context, options: DoctorOptions): Promise<readonly Check[]> {
  const { env } = context;
  const { trackingUri: uriOption } = options;
  const trackingUri = context.trackingUri(uriOption);
  const roots = journalRoots(journalPlaces(trackingUri, env));
  const bases = [variable(env, "XDG_RUNTIME_DIR"), variable(env, "TMPDIR"), tmpdir(), "/tmp"];
  const opened = await checkStore(context, options.trackingUri);
  await using store = opened.store;
  const staleMs = options.olderThanMs ?? staleAfterMs;
  return [
    ...(await checkMachine(env)),
    opened.check,
    ...checkPlaces(context, trackingUri),
    ...checkJournals(roots),
    ...(store === undefined
      ? []
      : [checkStaleRuns(await findStaleRuns(context, store, { uriOption, staleMs, endsLost: true }), context.now())]),
    ...(await checkLeftovers(
      roots,
      bases.filter((base) => base !== undefined),
    )),
  ];
}

function writeCheck({ io }: Context, { name, ok, message, hint }: Check): void {
  const line = formatCell(message);
  const todo = formatCell(hint ?? "");
  if (!io.isTerminal) return io.out(`${ok ? "ok" : "no"}\t${name}\t${line}\t${todo}\n`);
  io.out(`${io.style(ok ? "green" : "red", ok ? "ok" : "no")}  ${name}: ${line}\n`);
  if (todo !== "") io.out(`    ${io.style("bold", todo)}\n`);
}

/** Asks once for all of them. 1 where the answer is no. */
async function endStaleRuns(context: Context, options: DoctorOptions): Promise<number> {
  const { trackingUri: uriOption } = options;
  await using store = await openExisting(context, "write", uriOption);
  const staleMs = options.olderThanMs ?? staleAfterMs;
  const { stale } = await findStaleRuns(context, store, { uriOption, staleMs });
  const ended: Run[] = [];
  for (const run of stale) context.io.say(describeStale(run, context.now()));
  if (stale.length === 0) context.io.say("no stale runs");
  else if (options.yes !== true && !(await confirm(context, `end ${stale.length} of them as KILLED?`))) {
    context.io.say("nothing was ended");
    return 1;
  } else {
    for (const run of stale) {
      const endTime = readHeartbeat(run) ?? context.now();
      const tags = [{ key: trackTags.endReason, value: "lost" }];
      await closeRun(store, run, { status: "KILLED", endTime, tags });
      context.io.say(`ended: ${run.info.runId} (${run.info.runName}), KILLED`);
      ended.push(run);
    }
  }
  if (options.json === true) writeJson(context.io, { ended: ended.map(({ info }) => info.runId) });
  return 0;
}
