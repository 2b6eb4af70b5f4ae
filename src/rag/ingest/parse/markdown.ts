import type { Heading } from '../../documents.ts';
import { findMarkdownHeadings } from './markdown-headings.ts';
import type { ParsedDocument } from './parsed.ts';

/** Markdown stays as it was written, so that citations read like the source; its headings are found beside it. */
export function parseMarkdown(source: string): ParsedDocument {
  const { text, title: stated } = withoutFrontMatter(source);
  const headings: Heading[] = findMarkdownHeadings(text);
  const title = stated ?? headings.find((heading) => heading.level === 1)?.text;
  return { text, headings, metadata: {}, ...(title !== undefined && title !== '' && { title }) };
}

/** Front matter is about the document, not part of it; its title counts. */
function withoutFrontMatter(source: string): { text: string; title?: string } {
  const matter = /^---\n([\s\S]{0,10000}?)\n---\n/.exec(source);
  if (matter === null) return { text: source };
  const title = /^title:[ \t]*["']?([^\n]{1,1000}?)["']?[ \t]*$/m.exec(matter[1] ?? '')?.[1];
  return { text: source.slice(matter[0].length), ...(title !== undefined && { title }) };
}
