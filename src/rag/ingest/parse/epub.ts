import { decodeMarkup } from './decode-text.ts';
import { parseHtml } from './html.ts';
import { resolvePath } from './office-parts.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import { readXml } from './read-xml.ts';
import { readZip, type UnpackBudget } from './read-zip.ts';

const MAX_CHAPTERS = 5_000;
const CHAPTER_TYPES: ReadonlySet<string> = new Set(['application/xhtml+xml', 'text/html', 'application/x-dtbook+xml']);

interface Package {
  title: string;
  language: string;
  creators: string[];
  chapters: string[];
}

/** A book, its chapters in reading order (EPUB 3.3: container, package, spine). */
export function parseEpub(bytes: Uint8Array, budget: UnpackBudget): ParsedDocument {
  const files = new Map<string, () => Uint8Array>();
  for (const entry of readZip(bytes, budget)) if ('read' in entry) files.set(entry.name, entry.read);
  const textOf = (path: string): string | undefined => {
    const read = files.get(path);
    return read === undefined ? undefined : decodeMarkup(read());
  };
  if (files.has('META-INF/encryption.xml') && files.has('META-INF/rights.xml')) {
    throw new UnreadableFile('the book is encrypted (digital rights management)');
  }
  const path = packagePath(textOf('META-INF/container.xml'));
  const source = textOf(path);
  if (source === undefined) throw new UnreadableFile('the book has no package document');
  const book = readPackage(source, path.slice(0, path.lastIndexOf('/') + 1));
  const whole: ParsedDocument = { text: '', headings: [], metadata: {} };
  for (const chapterPath of book.chapters) {
    const html = textOf(chapterPath);
    if (html === undefined) continue;
    const chapter = parseHtml(html);
    if (chapter.text === '') continue;
    const start = whole.text.length;
    for (const heading of chapter.headings) whole.headings.push({ ...heading, start: heading.start + start });
    whole.text += `${chapter.text}\n\n`;
  }
  return {
    text: whole.text.trimEnd(),
    headings: whole.headings,
    metadata: {
      ...(book.creators.length > 0 && { authors: book.creators.slice(0, 20) }),
      ...(book.language !== '' && { language: book.language }),
    },
    ...(book.title !== '' && { title: book.title }),
  };
}

function packagePath(container: string | undefined): string {
  if (container === undefined) throw new UnreadableFile('the book has no META-INF/container.xml');
  let path = '';
  readXml(container, {
    open: (name, attributes) => {
      if (name === 'rootfile' && path === '') path = attributes['full-path'] ?? '';
    },
  });
  return path;
}

function readPackage(source: string, folder: string): Package {
  const book: Package = { title: '', language: '', creators: [], chapters: [] };
  const manifest = new Map<string, string>();
  let field = '';
  let value = '';
  readXml(source, {
    open: (name, attributes) => {
      field = name;
      value = '';
      const { id, href, 'media-type': type = '', idref } = attributes;
      if (name === 'item' && id !== undefined && href !== undefined && CHAPTER_TYPES.has(type)) {
        manifest.set(id, resolvePath(folder, decoded(href.split('#')[0] ?? '')));
      }
      const chapter = name === 'itemref' ? manifest.get(idref ?? '') : undefined;
      if (chapter !== undefined) book.chapters.push(chapter);
      if (book.chapters.length > MAX_CHAPTERS) throw new UnreadableFile(`it has more than ${MAX_CHAPTERS} chapters`);
    },
    text: (text) => {
      value += text;
    },
    close: (name) => {
      const clean = name === field ? value.replace(/\s+/g, ' ').trim().slice(0, 500) : '';
      if (name === 'title' && book.title === '') book.title = clean;
      else if (name === 'language' && book.language === '') book.language = clean;
      else if (name === 'creator' && clean !== '') book.creators.push(clean);
      field = '';
    },
  });
  return book;
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}
