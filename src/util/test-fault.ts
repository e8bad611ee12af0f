/** Where a fault of ours can be had on purpose; ARCHITECTURE.md says what each must not do to the command. */
export type FaultPlace =
  | "launch"
  | "hand-over"
  | "control"
  | "control:recorder"
  | "signal"
  | "capture"
  | "end"
  | "socket"
  | "endpoint"
  | "monitor"
  | "journal"
  | "store";

let armed: ReadonlySet<string> = new Set();

/** Arms the places that TRACK_TEST_FAULT names, separated by commas; for tests of what a bug of ours leaves alone. */
export function armFaults(places: string | undefined): void {
  armed = new Set(places?.split(",") ?? []);
}

/** Throws where that place is armed. */
export function failOnPurpose(place: FaultPlace): void {
  if (armed.has(place)) throw new Error(`a fault made on purpose: ${place}`);
}
