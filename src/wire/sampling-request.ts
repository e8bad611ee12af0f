/** A program wants one of its runs to be sampled, or no longer: the socket's `{"sampling":{"on":true,"pid":77,"first_step":0},"run_id":".."}`. */
export interface SamplingRequest {
  /** Absent: the wrapper's own run. */
  readonly runId?: string;
  readonly isOn: boolean;
  /** The process that is sampled beside the machine; its end is the end of the sampling. */
  readonly pid: number;
  /** A run that is resumed goes on behind the steps that it has. */
  readonly firstStep: number;
}

/** The content of the field `sampling`. */
export const samplingRequestJson = ({ isOn, pid, firstStep }: Omit<SamplingRequest, "runId">): object => ({
  on: isOn,
  pid,
  first_step: firstStep,
});

/** `undefined` for what is no such content. */
export function parseSamplingRequest(value: unknown): Omit<SamplingRequest, "runId"> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { on: isOn, pid, first_step: firstStep = 0 } = value as Readonly<Record<string, unknown>>;
  if (typeof isOn !== "boolean" || !isCount(pid) || !isCount(firstStep)) return undefined;
  return { isOn, pid, firstStep };
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
