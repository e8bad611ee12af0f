import { expect, test } from "vitest";
import { errorOfAnswer } from "../../src/http/answer-errors.ts";

const origin = "https://server";
const said = (status: number, error_code: string, message = "words") =>
  errorOfAnswer({ origin, status, text: JSON.stringify({ error_code, message }) });

test.each([
  [400, "INVALID_PARAMETER_VALUE", "INVALID_PARAMETER_VALUE"],
  [400, "RESOURCE_ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS"],
  [404, "RESOURCE_DOES_NOT_EXIST", "RESOURCE_DOES_NOT_EXIST"],
  [404, "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"],
  [500, "INVALID_STATE", "INVALID_STATE"],
  [500, "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"],
  [503, "TEMPORARILY_UNAVAILABLE", "TEMPORARILY_UNAVAILABLE"],
  [429, "REQUEST_LIMIT_EXCEEDED", "TEMPORARILY_UNAVAILABLE"],
  [401, "UNAUTHENTICATED", "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED", "PERMISSION_DENIED"],
  [500, "FEATURE_DISABLED", "INVALID_PARAMETER_VALUE"],
])("%i %s becomes %s", (status, code, expected) => {
  expect(said(status, code)).toMatchObject({ errorCode: expected, message: expect.stringContaining("words") });
});

test("only a fault of the server's own code counts as one", () => {
  expect(said(500, "INTERNAL_ERROR").isServerFault).toBe(true);
  expect(said(503, "TEMPORARILY_UNAVAILABLE").isServerFault).toBe(false);
  expect(errorOfAnswer({ origin, status: 500, text: "oops" }).isServerFault).toBe(false);
});

test("a database that the server has lost is no refusal", () => {
  const lost = "(psycopg2.InterfaceError) connection already closed";
  expect(said(400, "BAD_REQUEST", lost).errorCode).toBe("TEMPORARILY_UNAVAILABLE");
  const broken = "(psycopg2.errors.ForeignKeyViolation) insert or update on table";
  expect(said(400, "BAD_REQUEST", broken).errorCode).toBe("BAD_REQUEST");
});

test("a page is told by its first words", () => {
  const text = "<html><style>b{}</style><h1>Not\n found</h1>";
  expect(errorOfAnswer({ origin, status: 404, text }).message).toBe("https://server answers 404: Not found");
});

test("refused credentials say what to set, a refused host name what to allow", () => {
  expect(errorOfAnswer({ origin, status: 401, text: "" }).hint).toContain("MLFLOW_TRACKING_TOKEN");
  const text = "Invalid Host header - possible DNS rebinding attack detected";
  expect(errorOfAnswer({ origin, status: 403, text }).hint).toContain("--allowed-hosts");
});

test("a redirect that was not followed names the place", () => {
  const error = errorOfAnswer({ origin, status: 301, text: "", location: "https://elsewhere/" });
  expect(error).toMatchObject({ errorCode: "INVALID_PARAMETER_VALUE", message: expect.stringContaining("elsewhere") });
});
