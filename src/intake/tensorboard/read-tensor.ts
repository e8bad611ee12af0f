import { type BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { readMessage } from "./read-message.ts";

interface Tensor {
  type: number;
  size: number;
  content: Uint8Array | undefined;
  value: number | undefined;
}

/** Types of tensorflow.DataType, and how their bytes are read (core/framework/types.proto). */
const contentReaders: Readonly<Record<number, (view: DataView) => number>> = {
  1: (view) => view.getFloat32(0, true),
  2: (view) => view.getFloat64(0, true),
  3: (view) => view.getInt32(0, true),
  9: (view) => Number(view.getBigInt64(0, true)),
  14: (view) => bfloat16(view.getUint16(0, true)),
  19: (view) => view.getFloat16(0, true),
};

/** The only number of a tensorflow.TensorProto; `undefined` for one with more numbers, or with none. */
export function readTensor(bytes: Uint8Array): number | undefined {
  const tensor: Tensor = { type: 0, size: 1, content: undefined, value: undefined };
  readMessage(bytes, (reader, field, type) => readField(tensor, reader, field, type));
  const read = contentReaders[tensor.type];
  if (read === undefined || tensor.size !== 1) return undefined;
  if (tensor.content === undefined || tensor.content.length === 0) return tensor.value;
  const { buffer, byteOffset, byteLength } = tensor.content;
  return read(new DataView(buffer, byteOffset, byteLength));
}

function readField(tensor: Tensor, reader: BinaryReader, field: number, type: WireType): boolean {
  if (field === 1) tensor.type = reader.int32();
  else if (field === 2) tensor.size = readSize(reader.bytes());
  else if (field === 4) tensor.content = reader.bytes();
  else if (field === 5) tensor.value = packed(reader, type, () => reader.float());
  else if (field === 6) tensor.value = packed(reader, type, () => reader.double());
  else if (field === 7) tensor.value = packed(reader, type, () => reader.int32());
  else if (field === 10) tensor.value = packed(reader, type, () => Number(reader.int64()));
  else if (field === 13)
    tensor.value = half(
      tensor.type,
      packed(reader, type, () => reader.int32()),
    );
  else return false;
  return true;
}

/** The last number of a repeated field, packed or not. */
function packed(reader: BinaryReader, type: WireType, read: () => number): number {
  if (type !== WireType.LengthDelimited) return read();
  const end = reader.uint32() + reader.pos;
  let value = Number.NaN;
  while (reader.pos < end) value = read();
  return value;
}

/** Of tensorflow.TensorShapeProto, how many numbers there are. */
function readSize(bytes: Uint8Array): number {
  let size = 1;
  readMessage(bytes, (reader, field) => {
    if (field !== 2) return false;
    readMessage(reader.bytes(), (dimension, dimensionField) => {
      if (dimensionField !== 1) return false;
      size *= Number(dimension.int64());
      return true;
    });
    return true;
  });
  return size;
}

function half(type: number, bits: number): number {
  if (type === 14) return bfloat16(bits);
  const view = new DataView(new ArrayBuffer(2));
  view.setUint16(0, bits);
  return view.getFloat16(0);
}

function bfloat16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}
