import { deflateRawSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';

/** A zip archive as programs make them. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const entries = Object.entries(files).map(([name, content]) => [
    name,
    typeof content === 'string' ? strToU8(content) : content,
  ]);
  return zipSync(Object.fromEntries(entries), { level: 6 });
}

/** One entry of a zip archive made by hand; what is not given is what a program would write. */
export interface RawEntry {
  name: string | Uint8Array;
  content: string | Uint8Array;
  /** Bytes that the directory says it unpacks to. */
  claimedBytes?: number;
  /** Bits of the general flag; 1: encrypted, 0x800: the name is UTF-8. */
  flags?: number;
  /** Mode as Unix has it; 0o120777 is a link. */
  mode?: number;
  crc?: number;
  /** The entry whose packed bytes this one shares, by its place. */
  sharesWith?: number;
}

/** A zip archive written by hand, as no program writes one. */
export function rawZip(entries: readonly RawEntry[]): Buffer {
  const bodies: Buffer[] = [];
  const rows: Buffer[] = [];
  const placed: { offset: number; packedBytes: number }[] = [];
  let offset = 0;
  for (const { name: given, content, claimedBytes, flags = 0, mode, crc, sharesWith } of entries) {
    const raw = Buffer.from(content);
    const name = Buffer.from(given);
    const packed = deflateRawSync(raw);
    const shared = sharesWith === undefined ? undefined : placed[sharesWith];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc ?? Bun.hash.crc32(raw), 10);
    common.writeUInt32LE(shared?.packedBytes ?? packed.length, 14);
    common.writeUInt32LE(claimedBytes ?? raw.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    if (mode !== undefined) place.writeUInt16LE(mode, 8);
    place.writeUInt32LE(shared?.offset ?? offset, 10);
    const made = Buffer.from([20, mode === undefined ? 0 : 3]);
    rows.push(Buffer.concat([Buffer.from('PK\x01\x02'), made, common, place, name]));
    placed.push({ offset: shared?.offset ?? offset, packedBytes: shared?.packedBytes ?? packed.length });
    if (shared !== undefined) continue;
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, packed]);
    bodies.push(body);
    offset += body.length;
  }
  const directory = Buffer.concat(rows);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(Math.min(entries.length, 0xffff), 8);
  end.writeUInt16LE(Math.min(entries.length, 0xffff), 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, directory, end]);
}

const RELATIONS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';

/** Relations of a part: `[id, type, target]`. */
export function relationsXml(relations: readonly (readonly [id: string, type: string, target: string])[]): string {
  const rows = relations.map(([id, type, to]) => `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${to}"/>`);
  return `<Relationships xmlns="${RELATIONS}">${rows.join('')}</Relationships>`;
}

/** The parts of a Word document with this main part. */
export function wordParts(document: string): Record<string, string> {
  return {
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    '_rels/.rels': relationsXml([['r', 'officeDocument', 'word/document.xml']]),
    'word/document.xml': document,
  };
}

/** The main part of a Word document: paragraphs as `[text, style]`. */
export function wordXml(...paragraphs: readonly (readonly [text: string, style?: string])[]): string {
  const body = paragraphs.map(
    ([text, style = '']) =>
      `<w:p><w:pPr>${style && `<w:pStyle w:val="${style}"/>`}</w:pPr><w:r><w:t>${text}</w:t></w:r></w:p>`,
  );
  return `<w:document xmlns:w="${WORD}"><w:body>${body.join('')}</w:body></w:document>`;
}

/** A shape of a slide with a paragraph per line; `role` is what kind of placeholder it is. */
export function shapeXml(lines: readonly string[], role = ''): string {
  const paragraphs = lines.map((line) => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`).join('');
  const place = role === '' ? '' : `<p:nvPr><p:ph type="${role}"/></p:nvPr>`;
  return `<p:sp><p:nvSpPr>${place}</p:nvSpPr><p:txBody>${paragraphs}</p:txBody></p:sp>`;
}

/** The parts of a presentation; slides by the numbers of their files, in the order in which they are shown. */
export function slideParts(slides: readonly { file: number; xml: string; notes?: string }[]): Record<string, string> {
  const parts: Record<string, string> = {
    'ppt/presentation.xml': `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>${slides
      .map(({ file }) => `<p:sldId id="${255 + file}" r:id="rId${file}"/>`)
      .join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relationsXml(
      slides.map(({ file }) => [`rId${file}`, 'slide', `slides/slide${file}.xml`] as const),
    ),
  };
  for (const { file, xml, notes } of slides) {
    parts[`ppt/slides/slide${file}.xml`] = `<p:sld xmlns:p="p" xmlns:a="a">${xml}</p:sld>`;
    if (notes === undefined) continue;
    parts[`ppt/slides/_rels/slide${file}.xml.rels`] = relationsXml([
      ['n', 'notesSlide', `../notesSlides/notesSlide${file}.xml`],
    ]);
    parts[`ppt/notesSlides/notesSlide${file}.xml`] = `<p:notes xmlns:p="p" xmlns:a="a">${notes}</p:notes>`;
  }
  return parts;
}

/** The files of a book; chapters by name, in reading order. */
export function bookFiles(
  chapters: readonly (readonly [name: string, html: string])[],
  before = '',
): Record<string, string> {
  const items = chapters.map(([name], at) => `<item id="c${at}" href="${name}" media-type="application/xhtml+xml"/>`);
  const spine = chapters.map((_, at) => `<itemref idref="c${at}"/>`);
  return {
    mimetype: 'application/epub+zip',
    'META-INF/container.xml':
      '<container><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
    'OEBPS/book.opf': `${before}<package xmlns:dc="dc"><metadata><dc:title>The Gates</dc:title><dc:language>en</dc:language><dc:creator>Oishi</dc:creator></metadata><manifest>${items.toReversed().join('')}</manifest><spine>${spine.join('')}</spine></package>`,
    ...Object.fromEntries(chapters.map(([name, html]) => [`OEBPS/${name}`, html])),
  };
}

/** A PDF written by hand: a page per string of drawing operators, all with the font F1 that the first objects are. */
export function pdfOf(
  font: readonly string[],
  pages: readonly string[],
  more: { count?: number; trailer?: string } = {},
): Buffer {
  const fontAt = 3;
  const pageAt = fontAt + font.length;
  const kids = pages.map((_, at) => `${pageAt + at * 2} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${more.count ?? pages.length} >>`,
    ...font,
    ...pages.flatMap((content, at) => [
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 ${fontAt} 0 R >> >> /Contents ${pageAt + at * 2 + 1} 0 R >>`,
      `<< /Length ${Buffer.byteLength(content, 'latin1')} >>\nstream\n${content}\nendstream`,
    ]),
  ];
  let out = '%PDF-1.4\n';
  const offsets = objects.map((object, at) => {
    const offset = out.length;
    out += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  out += `xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer << /Size ${size} /Root 1 0 R ${more.trailer ?? ''}>>\nstartxref\n${out.length}\n%%EOF`;
  return Buffer.from(out, 'latin1');
}

/** The font of `pdfOf` for plain letters. */
export const LATIN_FONT = ['<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'];

/** A Japanese font that is not in the file, and whose text is in the given encoding. */
export function japaneseFont(encoding: string): string[] {
  return [
    `<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light /Encoding /${encoding} /DescendantFonts [4 0 R] >>`,
    '<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> /FontDescriptor 5 0 R /DW 1000 >>',
    '<< /Type /FontDescriptor /FontName /Ryumin-Light /Flags 6 /FontBBox [0 -120 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 80 >>',
  ];
}

/** Operators that draw lines of text, each at its place: `[x, y, what is shown, size]`. */
export function drawn(...lines: readonly (readonly [x: number, y: number, shown: string, size?: number])[]): string {
  return lines.map(([x, y, shown, size = 12]) => `BT /F1 ${size} Tf 1 0 0 1 ${x} ${y} Tm ${shown} Tj ET`).join('\n');
}
