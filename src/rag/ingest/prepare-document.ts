import type { PendingDocument } from '../documents.ts';
import type { Pause } from './pause.ts';
import type { Chunker, ChunkerTools, TextChunk } from './chunkers/chunker.ts';

/** A chunk as both legs of the index want it, but for its vector. */
export interface PreparedChunk extends Omit<TextChunk, 'content'> {
  /** Terms joined by single spaces. */
  terms: string;
}

/** What of a document decides its chunks. */
export type DocumentText = Pick<PendingDocument, 'title' | 'text' | 'headings'>;

export interface PrepareHow {
  chunker: Chunker;
  tools: ChunkerTools;
  terms: (text: string) => string[];
  pause: Pause;
}

/** Cuts a document and makes the terms of its chunks. @throws whatever the tools throw. */
export async function prepareDocument(document: DocumentText, how: PrepareHow): Promise<PreparedChunk[]> {
  const prepared: PreparedChunk[] = [];
  for await (const { content, ...chunk } of how.chunker.cut(document, how.tools)) {
    const { headingPath } = chunk;
    prepared.push({ ...chunk, terms: how.terms(searchableText(document.title, { headingPath, content })).join(' ') });
    await how.pause(content.length);
  }
  return prepared;
}

/** What both legs index of a chunk: the title and the headings say what the text is about. */
export function searchableText(title: string, chunk: Pick<TextChunk, 'headingPath' | 'content'>): string {
  const headings = chunk.headingPath.filter((heading) => heading !== title);
  return [title, ...headings, chunk.content].filter((line) => line !== '').join('\n');
}
