import { contradiction, formatOf, type FileFormat } from './file-format.ts';
import { problemOf, UnreadableFile, type ParsedDocument, type ParsedPart } from './parsed.ts';
import { PARSERS } from './parsers.ts';
import { readZip, type UnpackBudget } from './read-zip.ts';

/** An archive in an archive is read, one in that is not. */
const MAX_ARCHIVES = 2;
/** Of one document; those after it hold nothing. */
const MAX_HEADINGS = 50_000;
/** What systems put into archives for themselves. */
const HIDDEN = /(?:^|\/)(?:__MACOSX\/|\.(?!\.)|Thumbs\.db$|desktop\.ini$)/;

interface FileInside {
  name: string;
  format: FileFormat;
  bytes: Uint8Array;
}

/**
 * What a file holds, one part after the other: itself, or where it holds other files, each of them. What cannot be
 * read is a part of its own with the reason; only what is wrong with the file as a whole is thrown.
 * @throws UnreadableFile, or what a library throws at a damaged file.
 */
export async function* parseParts(
  file: FileInside,
  budget: UnpackBudget,
  path = '',
  depth = 0,
): AsyncGenerator<ParsedPart> {
  const wrong = contradiction(file.format, file.bytes);
  if (wrong !== undefined) throw new UnreadableFile(wrong);
  if (file.format === 'zip') {
    if (depth >= MAX_ARCHIVES) throw new UnreadableFile('archives are nested deeper than 2');
    for (const entry of readZip(file.bytes, budget)) {
      if (HIDDEN.test(entry.name)) continue;
      const inside = `${path}/${entry.name}`;
      if ('problem' in entry) yield { path: inside, problem: entry.problem };
      else yield* parseInside({ name: entry.name, read: entry.read }, budget, inside, depth + 1);
    }
  } else if (file.format === 'mail') {
    if (depth > MAX_ARCHIVES) throw new UnreadableFile('mails and archives are nested too deep');
    const { message, attachments } = await (await import('./mail.ts')).parseMail(file.bytes);
    budget.entries -= attachments.length;
    if (budget.entries < 0) throw new UnreadableFile('it holds too many files; 5,000 are the most');
    yield { path, documents: [message] };
    for (const { name, bytes } of distinct(attachments)) {
      yield* parseInside({ name, read: () => bytes }, budget, `${path}#${name}`, depth + 1);
    }
  } else {
    const documents = await PARSERS[file.format](file.bytes, file.name, budget);
    yield { path, documents: documents.map(withFewHeadings) };
  }
}

function withFewHeadings(document: ParsedDocument): ParsedDocument {
  const { headings } = document;
  return headings.length <= MAX_HEADINGS ? document : { ...document, headings: headings.slice(0, MAX_HEADINGS) };
}

/** A file out of another one: whatever is wrong with it is its own. */
async function* parseInside(
  { name, read }: { name: string; read: () => Uint8Array },
  budget: UnpackBudget,
  path: string,
  depth: number,
): AsyncGenerator<ParsedPart> {
  let format: FileFormat | undefined;
  try {
    const bytes = read();
    format = formatOf(name, bytes);
    if (format === undefined) throw new UnreadableFile('its format cannot be read');
    yield* parseParts({ name, format, bytes }, budget, path, depth);
  } catch (thrown) {
    yield { path, problem: problemOf(thrown, format ?? 'readable') };
  }
}

/** Attachments of one name are told apart by their number. */
function distinct<T extends { name: string }>(attachments: readonly T[]): T[] {
  const seen = new Map<string, number>();
  return attachments.map((attachment) => {
    const times = (seen.get(attachment.name) ?? 0) + 1;
    seen.set(attachment.name, times);
    return times === 1 ? attachment : { ...attachment, name: `${times}-${attachment.name}` };
  });
}
