import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';

/** Recorded exchanges and golden translations of other gateways; evaluation data that need not be there. */
export const WIRE_DATA = join(import.meta.dirname, '../../../shared/data/wire');
export const hasWireData = existsSync(WIRE_DATA);

/** Names of the files of a folder that end so; none where the data is not there. */
export function filesIn(folder: string, ending: string): string[] {
  const path = join(WIRE_DATA, folder);
  return existsSync(path)
    ? readdirSync(path)
        .filter((name) => name.endsWith(ending))
        .sort()
    : [];
}

export function readData(path: string): string {
  return readFileSync(join(WIRE_DATA, path), 'utf8');
}

export function readJsonData(path: string): JsonObject {
  return objectOf(readData(path));
}

/** What stands behind the head of a snapshot. */
export function snapshotBody(path: string): string {
  return readData(path)
    .split(/^---\n/m)
    .slice(2)
    .join('---\n');
}

/** The first JSON object of a snapshot's body. */
export function snapshotJson(path: string): JsonObject {
  return objectOf(snapshotBody(path));
}

function objectOf(text: string): JsonObject {
  const json = parseJson(text);
  if (!isJsonObject(json)) throw new Error('not a JSON object');
  return json;
}
