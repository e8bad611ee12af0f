/** One line of the GPU query; what nvidia-smi does not know is `undefined`. */
export interface NvidiaReading {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly utilizationPercentage: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  readonly powerWatts: number | undefined;
  readonly powerLimitWatts: number | undefined;
}

/** Only old fields: one that a driver does not know makes nvidia-smi refuse the whole query. The name may hold commas. */
const gpuFields = "index,uuid,utilization.gpu,memory.used,memory.total,power.draw,enforced.power.limit,name";

export const gpuQueryArguments = (): string[] => [`--query-gpu=${gpuFields}`, "--format=csv,noheader,nounits"];

export const appsQueryArguments = (): string[] => [
  "--query-compute-apps=pid,gpu_uuid",
  "--format=csv,noheader,nounits",
];

/**
 * `undefined` for what is no reading: an error text on stdout, half a line. Single values that are missing come as `[N/A]`,
 * `[Not Supported]`, `[Unknown Error]`, `[Insufficient Permissions]`, `ERR!` and the like.
 */
export function parseGpuLine(line: string): NvidiaReading | undefined {
  const fields = line.split(",").map((field) => field.trim());
  const [index = "", uuid = "", utilization, used, total, power, powerLimit, ...name] = fields;
  if (!/^\d+$/u.test(index) || !uuid.startsWith("GPU-") || name.length === 0) return undefined;
  return {
    index: Number(index),
    uuid,
    name: name.join(", "),
    utilizationPercentage: parseNumber(utilization),
    memoryUsedBytes: mebibytes(parseNumber(used)),
    memoryTotalBytes: mebibytes(parseNumber(total)),
    powerWatts: parseNumber(power),
    powerLimitWatts: parseNumber(powerLimit),
  };
}

/** One line of the process query; `undefined` for anything else. */
export function parseAppLine(line: string): { readonly pid: number; readonly uuid: string } | undefined {
  const match = /^\s*(\d+)\s*,\s*(\S+)\s*$/u.exec(line);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { pid: Number(match[1]), uuid: match[2] };
}

/** Units are asked away; old drivers print them all the same. */
function parseNumber(field: string | undefined): number | undefined {
  const value = Number.parseFloat(field ?? "");
  return Number.isFinite(value) ? value : undefined;
}

function mebibytes(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1_048_576;
}
