/** How far a program says it is. Numbers only: nothing of its text can leave through them. */
export interface Progress {
  readonly percent: number;
  readonly done?: number;
  readonly total?: number;
  /** What the program itself believes to need still, ms. */
  readonly remainingMs?: number;
}

const looked = 40;
const longestSegment = 600;
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/gu;

/** `43%|####   | 430/1000 [00:12<01:05, 34it/s]`, as tqdm and rich's imitations of it write. */
const tqdm = /(?<percent>\d{1,3}(?:\.\d+)?)%\|[^|]*\|(?:\s*(?<done>[\d.]+[kKMGT]?)\/(?<total>[\d.]+[kKMGT]?))?/u;
/** `430/1000 [=====>....] - ETA: 5s`, `430/1000 ━━━━╺━━ 0s 2ms/step`: a bar behind the numbers. */
const keras = /(?<done>\d+)\/(?<total>\d+)\s+(?:\[[=>.\s#-]{3,}\]|[━╸╺─█▏▎▍▌▋▊▉]{3,})/u;
/** `43% [####    ]`, `43% ━━━━━━`. */
const percentAndBar = /(?<percent>\d{1,3}(?:\.\d+)?)\s?%\s*(?:\[[^\]]*\]|[━╸╺─█▏▎▍▌▋▊▉#=]{3,})/u;
/** `━━━━━━ 43%`, `[####   ] 43%`. */
const barAndPercent = /(?:\[[=>.\s#*-]{3,}\]|[━╸╺─█▏▎▍▌▋▊▉]{3,})\s*(?<percent>\d{1,3}(?:\.\d+)?)\s?%/u;
/** `step 430/1000`, `Epoch [3/10]`, `iteration 430 of 1000`. */
const counted =
  /\b(?:epochs?|steps?|iter(?:ation)?s?|batch(?:es)?|samples?)\b[\s:#=[(]{0,4}(?<done>\d{1,12})\s?(?:\/|of)\s?(?<total>\d{1,12})/iu;
/** `progress: 43%`, `43% done`. */
const said =
  /(?:\bprogress\b\W{0,3}(?<percent>\d{1,3}(?:\.\d+)?)\s?%|(?<other>\d{1,3}(?:\.\d+)?)\s?%\s(?:done|completed?)\b)/iu;

const patterns = [tqdm, keras, percentAndBar, barAndPercent, counted, said];
const remaining = /(?:<|\beta:?\s*)(?<time>\d+(?::\d{2}){1,3}|\d+s\b)/iu;

/** The last progress that the end of a console log tells; `undefined` where its last lines tell none. */
export function parseProgress(tail: string): Progress | undefined {
  const segments = tail.replaceAll(escapes, "").split(/[\r\n]+/u);
  for (const segment of segments.slice(-looked).toReversed()) {
    const progress = parseSegment(segment.slice(-longestSegment));
    if (progress !== undefined) return progress;
  }
  return undefined;
}

function parseSegment(segment: string): Progress | undefined {
  for (const pattern of patterns) {
    const groups = pattern.exec(segment)?.groups;
    const progress = groups === undefined ? undefined : toProgress(groups);
    if (progress === undefined) continue;
    const remainingMs = parseClock(remaining.exec(segment)?.groups?.["time"]);
    return { ...progress, ...(remainingMs !== undefined && { remainingMs }) };
  }
  return undefined;
}

function toProgress(groups: Readonly<Record<string, string | undefined>>): Progress | undefined {
  const done = parseCount(groups["done"]);
  const total = parseCount(groups["total"]);
  const text = groups["percent"] ?? groups["other"];
  const isCounted = done !== undefined && total !== undefined && total > 0 && done <= total;
  const percent = isCounted ? (done / total) * 100 : text === undefined ? Number.NaN : Number(text);
  if (!(percent >= 0 && percent <= 100)) return undefined;
  return { percent, ...(isCounted && { done, total }) };
}

/** `430`, `1.5k`. */
function parseCount(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKMGT]?)$/u.exec(text ?? "");
  if (match === null) return undefined;
  const power = match[2] === "" ? 0 : "kMGT".indexOf((match[2] ?? "").replace("K", "k")) + 1;
  return Math.round(Number(match[1]) * 1000 ** power);
}

/** `1:05`, `2:01:05`, `1:02:01:05` (days first), `5s`. */
function parseClock(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const weights = [1, 60, 3600, 86_400];
  const parts = text.replace("s", "").split(":").map(Number).toReversed();
  return parts.reduce((sum, part, index) => sum + part * (weights[index] ?? 0), 0) * 1000;
}
