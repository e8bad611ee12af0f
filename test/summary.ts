import { readFileSync } from "node:fs";

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly { readonly status: string; readonly name: string }[];
}

const report = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Report;
const brokenFiles = report.testResults.filter((file) => file.status === "failed").length;
const failed = Math.max(report.numFailedTests, brokenFiles > 0 && report.numFailedTests === 0 ? brokenFiles : 0);
console.log(
  `${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`,
);
process.exitCode = report.success && report.numPassedTests > 0 ? 0 : 1;
