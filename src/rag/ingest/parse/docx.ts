import { zipSync } from 'fflate';
import mammoth from 'mammoth';
import { parseHtml } from './html.ts';
import { readOfficeParts } from './office-parts.ts';
import { officeTitle } from './office-title.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import type { UnpackBudget } from './read-zip.ts';

/**
 * A Word document by way of its meaning as HTML: headings, lists and tables are kept, layout and pictures are not.
 * The library gets an archive of the parts that were unpacked and judged here, so that it can see no others.
 */
export async function parseDocx(bytes: Uint8Array, budget: UnpackBudget): Promise<ParsedDocument> {
  const utf8 = new TextEncoder();
  const parts = readOfficeParts(bytes, budget);
  if (!parts.has('[Content_Types].xml')) throw new UnreadableFile('it is not a Word document');
  const judged = Object.fromEntries([...parts].map(([name, text]) => [name, utf8.encode(text)]));
  const { value } = await mammoth.convertToHtml(
    { buffer: Buffer.from(zipSync(judged, { level: 0 })) },
    { convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: '' })), externalFileAccess: false },
  );
  const document = parseHtml(value);
  const [first] = document.headings;
  const title = officeTitle(parts.get('docProps/core.xml')) ?? (first?.level === 1 ? first.text : undefined);
  return { ...document, ...(title !== undefined && { title }) };
}
