import { Fragment, type ReactNode } from 'react';
import type { QueryCitation, QuerySource } from '../../../src/http/contract/query.ts';
import { useLanguage } from '../words/language.tsx';
import { formatScore } from './format.ts';

interface CardProps {
  source: QuerySource;
  /** 0-based place among the sources. */
  index: number;
  citations: readonly QueryCitation[];
  /** The score that fills the bar. */
  highest: number;
}

/** One passage: where it stands, how it scored, and its text with the cited sentences marked. */
export function SourceCard(props: CardProps): ReactNode {
  const { words } = useLanguage();
  const { source, index } = props;
  const title = source.title === '' ? words.sources.untitled : source.title;
  const headings = source.heading_path.filter((heading) => heading !== source.title);
  const share = props.highest > 0 ? Math.max(0, Math.min(1, source.score / props.highest)) : 0;
  const metadata = Object.entries(source.metadata).filter(([, value]) => value !== undefined);
  const spans = citedSpans(source, props.citations);
  return (
    <li className="source" id={`source-${index}`} tabIndex={-1} data-cited={spans.length > 0}>
      <header>
        <span className="source-number">{index + 1}</span>
        <div className="source-heading">
          <h3>{title}</h3>
          {headings.length === 0 ? null : <p className="heading-path">{headings.join(' › ')}</p>}
        </div>
        <div className="source-score">
          <span className="score-bar" aria-hidden="true">
            <span style={{ width: `${share * 100}%` }} />
          </span>
          <span>
            <span className="hidden">{words.sources.score} </span>
            {formatScore(source.score)}
          </span>
        </div>
      </header>
      <p className="source-content">{highlight(source.content, spans)}</p>
      <footer>
        <span>{words.sources.position(source.start, source.end)}</span>
        {metadata.length === 0 ? null : (
          <details>
            <summary>{words.sources.metadata}</summary>
            <dl>
              {metadata.map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </footer>
    </li>
  );
}

interface Span {
  start: number;
  end: number;
}

/** The cited spans within the passage, in its own offsets, in order, overlaps joined. */
function citedSpans(source: QuerySource, citations: readonly QueryCitation[]): Span[] {
  const joined: Span[] = [];
  const spans = citations
    .filter((citation) => citation.document_id === source.document_id)
    .map((citation) => ({
      start: Math.max(0, citation.start - source.start),
      end: Math.min(source.content.length, citation.end - source.start),
    }))
    .filter((span) => span.start < span.end)
    .toSorted((a, b) => a.start - b.start);
  for (const span of spans) {
    const last = joined.at(-1);
    if (last !== undefined && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else joined.push({ ...span });
  }
  return joined;
}

function highlight(content: string, spans: readonly Span[]): ReactNode {
  let from = 0;
  const pieces = spans.map((span) => {
    const before = content.slice(from, span.start);
    from = span.end;
    return (
      <Fragment key={span.start}>
        {before}
        <mark>{content.slice(span.start, span.end)}</mark>
      </Fragment>
    );
  });
  return (
    <>
      {pieces}
      {content.slice(from)}
    </>
  );
}
