import type { TypedOption } from "../command-spec.ts";
import { text } from "../option-values.ts";

/** For every command that looks into a store. */
export const trackingUri: TypedOption<{ readonly trackingUri?: string }> = {
  field: "trackingUri",
  flags: "--tracking-uri <uri>",
  description: "where the runs are (MLFLOW_TRACKING_URI); default: mlflow.db in this folder",
  parse: text("--tracking-uri"),
};

/** One JSON document on stdout; docs/json.md has its shape. */
export const json: TypedOption<{ readonly json?: boolean }> = {
  field: "json",
  flags: "--json",
  description: "one JSON document",
};

/** The same where it is MLflow's shape. */
export const mlflowJson: TypedOption<{ readonly json?: boolean }> = {
  ...json,
  description: "one JSON document, in the shape of MLflow's REST API",
};

/** For commands that ask before they change what cannot be brought back. */
export const yes: TypedOption<{ readonly yes?: boolean }> = {
  field: "yes",
  flags: "-y, --yes",
  description: "do not ask",
};
