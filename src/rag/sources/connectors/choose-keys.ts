import { extensionOf, KNOWN_EXTENSIONS } from '../../ingest/parse/file-format.ts';

/** What is wanted of a source, by glob patterns over its keys. */
export interface Choice {
  include: readonly string[];
  exclude: readonly string[];
}

/** Whether a key is wanted: at least one of `include` (any, where there is none) and none of `exclude`. */
export function createChoice({ include, exclude }: Choice): (key: string) => boolean {
  const wanted = include.map((pattern) => new Bun.Glob(pattern));
  const unwanted = exclude.map((pattern) => new Bun.Glob(pattern));
  return (key) =>
    (wanted.length === 0 || wanted.some((glob) => glob.match(key))) && !unwanted.some((glob) => glob.match(key));
}

/** The same for files: without `include`, those whose format can be read. */
export function createFileChoice(choice: Choice): (key: string) => boolean {
  const chosen = createChoice(choice);
  return (key) => chosen(key) && (choice.include.length > 0 || KNOWN_EXTENSIONS.includes(extensionOf(key)));
}
