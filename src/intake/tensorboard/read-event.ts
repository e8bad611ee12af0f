import { readMessage } from "./read-message.ts";
import { readTensor } from "./read-tensor.ts";

/** What an event says of scalars and hyperparameters; everything else in it is left out. */
export interface TensorboardEvent {
  /** Seconds since the epoch. */
  readonly wallTime: number;
  readonly step: number;
  readonly scalars: readonly (readonly [tag: string, value: number])[];
  readonly hparams: readonly (readonly [name: string, value: string])[];
}

/**
 * Decodes one record of an event file: tensorflow.Event (core/util/event.proto, core/framework/summary.proto). Throws for bytes
 * that are no such message.
 */
export function readEvent(bytes: Uint8Array): TensorboardEvent {
  let wallTime = Number.NaN;
  let step = 0;
  const values: Value[] = [];
  readMessage(bytes, (reader, field) => {
    if (field === 1) wallTime = reader.double();
    else if (field === 2) step = Number(reader.int64());
    else if (field === 5) values.push(...readSummary(reader.bytes()));
    else return false;
    return true;
  });
  return {
    wallTime,
    step,
    scalars: values.flatMap(({ tag, scalar }) => (scalar === undefined ? [] : [[tag, scalar] as const])),
    hparams: values.flatMap(({ hparams }) => hparams),
  };
}

interface Value {
  readonly tag: string;
  readonly scalar: number | undefined;
  readonly hparams: readonly (readonly [string, string])[];
}

function readSummary(bytes: Uint8Array): readonly Value[] {
  const values: Value[] = [];
  readMessage(bytes, (reader, field) => {
    if (field !== 1) return false;
    values.push(readValue(reader.bytes()));
    return true;
  });
  return values;
}

function readValue(bytes: Uint8Array): Value {
  let tag = "";
  let simple: number | undefined;
  let tensor: Uint8Array | undefined;
  let plugin: Plugin = { name: "", content: new Uint8Array() };
  readMessage(bytes, (reader, field) => {
    if (field === 1) tag = reader.string();
    else if (field === 2) simple = reader.float();
    else if (field === 8) tensor = reader.bytes();
    else if (field === 9) plugin = readMetadata(reader.bytes());
    else return false;
    return true;
  });
  // The kind of a tag is told with its first value alone.
  const isScalar = plugin.name === "" || plugin.name === "scalars";
  return {
    tag,
    scalar: simple ?? (isScalar && tensor !== undefined ? readTensor(tensor) : undefined),
    hparams: plugin.name === "hparams" ? readHparams(plugin.content) : [],
  };
}

interface Plugin {
  readonly name: string;
  readonly content: Uint8Array;
}

function readMetadata(bytes: Uint8Array): Plugin {
  let name = "";
  let content: Uint8Array = new Uint8Array();
  readMessage(bytes, (reader, field) => {
    if (field !== 1) return false;
    readMessage(reader.bytes(), (inner, innerField) => {
      if (innerField === 1) name = inner.string();
      else if (innerField === 2) content = inner.bytes();
      else return false;
      return true;
    });
    return true;
  });
  return { name, content };
}

/** The session_start_info of HParamsPluginData (tensorboard/plugins/hparams/plugin_data.proto). */
function readHparams(bytes: Uint8Array): readonly (readonly [string, string])[] {
  const hparams: (readonly [string, string])[] = [];
  readMessage(bytes, (reader, field) => {
    if (field !== 3) return false;
    readMessage(reader.bytes(), (session, sessionField) => {
      if (sessionField !== 1) return false;
      const pair = readPair(session.bytes());
      if (pair !== undefined) hparams.push(pair);
      return true;
    });
    return true;
  });
  return hparams;
}

function readPair(bytes: Uint8Array): readonly [string, string] | undefined {
  let name = "";
  let text: string | undefined;
  readMessage(bytes, (reader, field) => {
    if (field === 1) name = reader.string();
    else if (field === 2) text = readPlainValue(reader.bytes());
    else return false;
    return true;
  });
  return text === undefined ? undefined : [name, text];
}

/** google.protobuf.Value: a number, a text or a boolean, as Python would print it. */
function readPlainValue(bytes: Uint8Array): string | undefined {
  let text: string | undefined;
  readMessage(bytes, (reader, field) => {
    if (field === 2) text = String(reader.double());
    else if (field === 3) text = reader.string();
    else if (field === 4) text = reader.bool() ? "True" : "False";
    else return false;
    return true;
  });
  return text;
}
