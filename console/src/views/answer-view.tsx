import { useMemo, type ReactNode } from 'react';
import { markCitations } from '../markdown/citation-marks.ts';
import { MarkdownView } from '../markdown/markdown-view.tsx';
import type { Run } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';
import { CopyButton } from './copy-button.tsx';
import { FactsStrip } from './facts-strip.tsx';
import { FailureNote } from './failure-note.tsx';

/** The question, the answer as it comes, and what is known of the request. */
export function AnswerView(props: { run: Run; onCitation: (source: number) => void }): ReactNode {
  const { words } = useLanguage();
  const { run, onCitation } = props;
  const marked = useMemo(
    () => markCitations(run.text, run.citations, run.sources),
    [run.text, run.citations, run.sources],
  );
  const running = run.phase === 'waiting' || run.phase === 'streaming';
  const cite = (source: number) => (
    <button
      type="button"
      className="citation"
      aria-label={words.answer.citation(source + 1)}
      onClick={() => onCitation(source)}
    >
      {source + 1}
    </button>
  );
  return (
    <article className="answer" aria-busy={running}>
      <h2 className="asked">{run.question}</h2>
      {run.reasoning === '' ? null : (
        <details className="reasoning">
          <summary>{words.answer.reasoning}</summary>
          <p>{run.reasoning}</p>
        </details>
      )}
      {run.phase === 'done' && !run.answered ? <p className="unanswered">{words.answer.unanswered}</p> : null}
      {run.text === '' && running ? (
        <p className="waiting">
          <span className="pulse" aria-hidden="true" />
          {run.phase === 'waiting' ? words.answer.waiting : words.answer.streaming}
        </p>
      ) : (
        <div data-streaming={running}>
          <MarkdownView text={marked} renderCitation={cite} />
        </div>
      )}
      {run.phase === 'stopped' ? <p className="stopped">{words.answer.stopped}</p> : null}
      {run.failure === undefined ? null : <FailureNote failure={run.failure} />}
      <div className="answer-end">
        {running || run.text === '' ? null : (
          <CopyButton text={run.text} label={words.answer.copy} copied={words.answer.copied} />
        )}
      </div>
      <FactsStrip facts={run.facts} />
      <p className="hidden" role="status">
        {statusOf(run, words)}
      </p>
    </article>
  );
}

/** What a screen reader says: the stages, not every word of the stream. */
function statusOf(run: Run, words: ReturnType<typeof useLanguage>['words']): string {
  switch (run.phase) {
    case 'waiting':
      return words.answer.waiting;
    case 'streaming':
      return words.answer.streaming;
    case 'done':
      return words.answer.complete(run.sources.length);
    case 'stopped':
      return words.answer.stopped;
    case 'failed':
      return '';
  }
}
