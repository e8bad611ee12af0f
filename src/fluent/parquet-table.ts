import { parquetReadObjects, parquetMetadataAsync, parquetSchema } from "hyparquet";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { StoreError } from "../errors.ts";
import type { CellKind, Table } from "./table.ts";

/** Reads what pandas or this library wrote. Rejects with `INVALID_PARAMETER_VALUE` for any other file. */
export async function readParquet(bytes: Uint8Array<ArrayBuffer>, artifactFile: string): Promise<Table> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  try {
    const columns = parquetSchema(await parquetMetadataAsync(file)).children.map(({ element }) => element.name);
    const rows = await parquetReadObjects({ file });
    return { columns, data: rows.map((row) => columns.map((column) => row[column] ?? null)) };
  } catch (error) {
    const message = `'${artifactFile}' is there already and is no table that could be appended to`;
    throw new StoreError("INVALID_PARAMETER_VALUE", message, { cause: error });
  }
}

/** `kinds`: of the columns. As pandas writes it: 64 bit numbers, text, truth values and times (ms); what is nested becomes its JSON. */
export function writeParquet({ columns, data }: Table, kinds: readonly CellKind[]): Uint8Array {
  const columnData = columns.map((name, index) => {
    const values = data.map((row) => row[index] ?? null);
    return toColumn(name, values, kinds[index] ?? "text");
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

function toColumn(name: string, values: readonly unknown[], kind: CellKind): ColumnSource {
  if (kind === "number") return numberColumn(name, values);
  const type = ({ text: "STRING", boolean: "BOOLEAN", date: "TIMESTAMP", nested: "JSON" } as const)[kind];
  return { name, data: [...values], type };
}

const isInteger = (value: unknown): boolean =>
  value === null || Number.isSafeInteger(value) || (typeof value === "bigint" && BigInt.asIntN(64, value) === value);

function numberColumn(name: string, values: readonly unknown[]): ColumnSource {
  const change = (to: (value: number | bigint) => number | bigint) =>
    values.map((value) => (value === null ? null : to(value as number | bigint)));
  return values.every(isInteger)
    ? { name, data: change(BigInt), type: "INT64" }
    : { name, data: change(Number), type: "DOUBLE" };
}
