import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";

/** Reads a field that it knows and answers true; any other is skipped. */
type ReadField = (reader: BinaryReader, field: number, type: WireType) => boolean;

/** Reads one message of Protocol Buffers field by field. Throws for bytes that are none. */
export function readMessage(bytes: Uint8Array, read: ReadField): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!read(reader, field, type)) reader.skip(type, field);
  }
}
