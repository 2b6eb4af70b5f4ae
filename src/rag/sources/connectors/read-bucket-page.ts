import { SaxesParser } from 'saxes';
import { SourceProblem } from './connector.ts';

export interface BucketPage {
  objects: { key: string; etag: string; modified: string; bytes: number }[];
  /** Where the next page begins; absent on the last. */
  next: string | undefined;
}

const MAX_BYTES = 8 * 1024 * 1024;
const MAX_FIELD = 8_192;
const MAX_OBJECTS = 1_000;
const MAX_DEPTH = 16;

/** Reads one answer of ListObjectsV2. @throws SourceProblem for what is none. */
export function readBucketPage(bytes: Uint8Array): BucketPage {
  if (bytes.length > MAX_BYTES) throw new SourceProblem('the listing of the bucket is too large');
  const objects: BucketPage['objects'] = [];
  const outer = new Map<string, string>();
  let object: Map<string, string> | undefined;
  const path: string[] = [];
  let field = '';

  const parser = new SaxesParser();
  parser.on('error', (cause) => {
    throw new SourceProblem('the listing of the bucket is not valid XML', { cause });
  });
  parser.on('doctype', () => {
    throw new SourceProblem('the listing of the bucket has a document type');
  });
  parser.on('opentag', ({ name }) => {
    path.push(name);
    if (path.length > MAX_DEPTH) throw new SourceProblem('the listing of the bucket nests too deep');
    if (path.length === 1 && name !== 'ListBucketResult')
      throw new SourceProblem('the answer is no listing of a bucket');
    if (path.length === 2 && name === 'Contents') object = new Map();
    field = '';
  });
  parser.on('text', (piece) => {
    if (field.length < MAX_FIELD) field += piece.slice(0, MAX_FIELD);
  });
  parser.on('closetag', () => {
    const name = path.pop() ?? '';
    if (path.length === 2) object?.set(name, field);
    else if (path.length === 1 && name !== 'Contents') outer.set(name, field);
    else if (path.length === 1 && object !== undefined) {
      if (objects.length >= MAX_OBJECTS) throw new SourceProblem('a page of the bucket has too many objects');
      objects.push(objectOf(object));
      object = undefined;
    }
  });
  parser.write(new TextDecoder().decode(bytes));
  parser.close();
  // What comes after the objects may say how they are written.
  const isEncoded = outer.get('EncodingType') === 'url';
  const next = outer.get('IsTruncated') === 'true' ? outer.get('NextContinuationToken') : undefined;
  if (outer.get('IsTruncated') === 'true' && (next === undefined || next === '')) {
    throw new SourceProblem('the bucket does not say where its next page begins');
  }
  return { objects: objects.map((each) => ({ ...each, key: isEncoded ? keyOf(each.key) : each.key })), next };
}

function objectOf(fields: ReadonlyMap<string, string>): BucketPage['objects'][number] {
  const modified = Date.parse(fields.get('LastModified') ?? '');
  return {
    key: fields.get('Key') ?? '',
    etag: (fields.get('ETag') ?? '').slice(0, 200),
    modified: new Date(Number.isNaN(modified) ? 0 : modified).toISOString(),
    bytes: Number(fields.get('Size') ?? 0),
  };
}

function keyOf(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'));
  } catch {
    return text;
  }
}
