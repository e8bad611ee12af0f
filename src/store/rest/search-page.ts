import { type JsonObject, readList, readText } from "../../wire/rest-json-values.ts";
import type { Page } from "../tracking-store.ts";

/** The page of an answer that lists things under `key`. */
export function readPage<Item>(answer: JsonObject, key: string, read: (json: JsonObject) => Item): Page<Item> {
  const nextPageToken = readText(answer, "next_page_token", "");
  return { items: readList(answer, key, read), ...(nextPageToken !== "" && { nextPageToken }) };
}

/** All items of all pages, `most` at most. */
export async function readAllPages<Item>(
  ask: (pageToken: string | undefined) => Promise<Page<Item>>,
  most = Infinity,
): Promise<Item[]> {
  const items: Item[] = [];
  let pageToken: string | undefined;
  do {
    const page = await ask(pageToken);
    for (const item of page.items) items.push(item);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && items.length < most);
  return items.length > most ? items.slice(0, most) : items;
}
