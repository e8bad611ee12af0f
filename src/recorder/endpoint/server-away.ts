import { isTransient, StoreError } from "../../errors.ts";
import { RequestRefusal } from "../../server/answer.ts";
import { messageOf } from "../../util/error-code.ts";

/** Only the server knows, and it cannot be asked: MLflow's clients do not try this status again, which they would do for minutes. */
const failedDependency = 424;

export function serverAway(reason: unknown): RequestRefusal {
  const words = typeof reason === "string" ? reason : messageOf(reason);
  const message = `the tracking server cannot be asked now: ${words}`;
  return new RequestRefusal(failedDependency, new StoreError("TEMPORARILY_UNAVAILABLE", message));
}

/** An outage as a client is told it; anything else as it is. */
export const asToldToClients = (error: unknown): unknown =>
  isTransient(error) && !(error instanceof RequestRefusal) ? serverAway(error) : error;
