import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SaxesParser } from 'saxes';
import { SourceProblem } from './connector.ts';

/** What a sitemap holds: pages, or further sitemaps. */
export interface Sitemap {
  kind: 'pages' | 'index';
  entries: { url: string; lastmod: string | undefined }[];
}

/** The bounds of the protocol (sitemaps.org): entries of one file, and bytes as unpacked. */
const MAX_ENTRIES = 50_000;
const MAX_BYTES = 52_428_800;
const MAX_FIELD = 4_096;
const MAX_DEPTH = 16;
/** Code units that are read before others have their turn. */
const SLICE = 8 * 1024;

const unpack = promisify(gunzip);

/**
 * Reads a sitemap, packed with gzip or not. Entities other than those of XML itself are not known, so that none can
 * grow or name a file.
 * @throws SourceProblem for what is no sitemap, or larger than the protocol allows.
 */
export async function readSitemap(bytes: Uint8Array): Promise<Sitemap> {
  const text = new TextDecoder().decode(await unpacked(bytes));
  const sitemap: Sitemap = { kind: 'pages', entries: [] };
  const path: string[] = [];
  let field = '';
  let entry: { url: string; lastmod: string | undefined } | undefined;

  const parser = new SaxesParser();
  parser.on('error', (cause) => {
    throw new SourceProblem('the sitemap is not valid XML', { cause });
  });
  parser.on('doctype', () => {
    throw new SourceProblem('a sitemap has no document type');
  });
  parser.on('opentag', ({ name }) => {
    const local = name.slice(name.indexOf(':') + 1);
    path.push(local);
    if (path.length > MAX_DEPTH) throw new SourceProblem('the sitemap nests too deep');
    if (path.length === 1) {
      if (local !== 'urlset' && local !== 'sitemapindex') throw new SourceProblem('it is no sitemap');
      sitemap.kind = local === 'urlset' ? 'pages' : 'index';
    }
    if (path.length === 2) entry = { url: '', lastmod: undefined };
    field = '';
  });
  parser.on('text', (piece) => {
    if (path.length === 3 && field.length < MAX_FIELD) field += piece.slice(0, MAX_FIELD);
  });
  parser.on('cdata', (piece) => {
    if (path.length === 3 && field.length < MAX_FIELD) field += piece.slice(0, MAX_FIELD);
  });
  parser.on('closetag', () => {
    const local = path.pop();
    if (entry === undefined) return;
    // Further namespaces repeat the names deeper down: pictures and videos have a `loc` of their own.
    if (path.length === 2 && local === 'loc') entry.url = field.trim();
    if (path.length === 2 && local === 'lastmod') entry.lastmod = field.trim().slice(0, 100);
    if (path.length === 1) {
      if (entry.url !== '') sitemap.entries.push(entry);
      entry = undefined;
      if (sitemap.entries.length > MAX_ENTRIES)
        throw new SourceProblem(`the sitemap has more than ${MAX_ENTRIES} entries`);
    }
  });
  for (let from = 0; from < text.length; from += SLICE) {
    parser.write(text.slice(from, from + SLICE));
    await new Promise((resolve) => setImmediate(resolve));
  }
  parser.close();
  return sitemap;
}

async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length > MAX_BYTES) throw new SourceProblem(`the sitemap is larger than ${MAX_BYTES} bytes`);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await unpack(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new SourceProblem(`the sitemap cannot be unpacked, or is larger than ${MAX_BYTES} bytes`, { cause });
  }
}
